// Builds the page into the folder that a wheel has, and writes down of what it was made.
// `node build.mjs FOLDER`, as `make ui` runs it; without an argument the folder of the package.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, '..', 'activity_api', 'ui', 'built'));
const read = (name) => readFileSync(join(here, name));
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
const lock = JSON.parse(read('package-lock.json')).packages;
const inside = Object.keys(JSON.parse(read('package.json')).dependencies).sort();

const made = await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/main.tsx' },
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none', // the licences are in a file of their own
  charset: 'utf8',
  outdir: folder,
  write: false,
});

const licence = (name) => {
  const file = readdirSync(join(here, 'node_modules', name)).find((one) => /^licen[cs]e/i.test(one));
  return `${name} ${lock[`node_modules/${name}`].version}\n\n${read(join('node_modules', name, file)).toString().trim()}\n`;
};
const files = Object.fromEntries(made.outputFiles.map((one) => [relative(folder, one.path), one.contents]));
files['page.html'] = read('page.html');
files['licenses.txt'] = Buffer.from(inside.map(licence).join('\n' + '-'.repeat(72) + '\n\n'));

const sources = ['build.mjs', 'package.json', 'package-lock.json', 'page.html', 'tsconfig.json'];
sources.push(...readdirSync(join(here, 'src')).map((one) => `src/${one}`));
const hashes = (names, bytes) => Object.fromEntries(names.sort().map((name) => [name, digest(bytes(name))]));
const record = {
  made_by: 'make ui: npm ci; tsc --noEmit; node build.mjs',
  packages: Object.fromEntries([...inside, 'esbuild'].map((name) => [name, lock[`node_modules/${name}`].version])),
  sha256: hashes(Object.keys(files), (name) => files[name]),
  sources: hashes(sources, read),
};
files['built.json'] = JSON.stringify(record, null, 2) + '\n';
mkdirSync(folder, { recursive: true });
for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
console.log(Object.entries(files).map(([name, bytes]) => `${name} ${bytes.length}`).join('\n'));
