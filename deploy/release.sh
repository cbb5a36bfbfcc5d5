#!/usr/bin/env bash
# A release of the checked-out tree: docs/release.md.
#   release.sh version [NEW]   print the version; with NEW write it everywhere
#   release.sh build           wheels (built twice, and compared), bill of materials, chart, sums: dist/; then the images
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
# pyproject.toml is where the version stands; everything else repeats it, and a test compares.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | head -n 1)

say() { echo "release: $*" >&2; }

write_version() {
  [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?$ ]] || { say "$1 is no version: 1.2.3, or 1.2.3rc1"; exit 2; }
  local old=${version//./\\.}
  sed -i "s/^version = \"$old\"/version = \"$1\"/; s/\"activity-emit==$old\"/\"activity-emit==$1\"/" pyproject.toml ingest/pyproject.toml
  sed -i "s/^\(version\|appVersion\): $old$/\1: $1/" deploy/helm/activity/Chart.yaml
  sed -i "s/\(:-activity[a-z-]*\):$old}/\1:$1}/" deploy/compose.yaml deploy/compose.local.yaml
  say "$version -> $1; now: make setup lock, and the heading in CHANGELOG.md"
}

wheels() { # INTO: both, from a copy of the tree as git has it, so that nothing else can get in
  local tree
  tree=$(mktemp -d)
  git archive HEAD | tar -x -C "$tree"
  for folder in ingest .; do
    (cd "$tree/$folder" && "$bin/python" -m hatchling build -t wheel -d "$1" >/dev/null 2>&1) ||
      { say "the wheel of $folder was not built"; exit 1; }
  done
  rm -rf "$tree"
}

build() {
  # The commit's own time: the same commit makes the same bytes.
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  export SOURCE_DATE_EPOCH
  local again
  again=$(mktemp -d)
  rm -rf dist && mkdir dist
  wheels "$PWD/dist"
  wheels "$again"
  for wheel in dist/*.whl; do
    cmp "$wheel" "$again/$(basename "$wheel")" || { say "built twice, $(basename "$wheel") differs"; exit 1; }
  done
  rm -rf "$again"
  say "wheels built twice, byte for byte the same"
  for lock in runtime engine; do
    "$bin/cyclonedx-py" requirements "requirements.$lock.lock" --pyproject pyproject.toml --output-reproducible \
      --of JSON --output-file "dist/activity-$version-$lock.cdx.json" 2>/dev/null
  done
  cp requirements.runtime.lock "dist/activity-$version-requirements.lock"
  if [[ -x .state/bin/helm ]]; then .state/bin/helm package --destination dist deploy/helm/activity >/dev/null; else say "no helm: no chart (make helm)"; fi
  (cd dist && sha256sum -- * >SHA256SUMS)
  ls dist >&2
  if docker version >/dev/null 2>&1; then deploy/images/build.sh; else say "no Docker engine answers: no images"; fi
}

case ${1:-} in
  version) if [[ -n ${2:-} ]]; then write_version "$2"; else echo "$version"; fi ;;
  build) build ;;
  *) say "usage: $0 version [NEW] | build"; exit 2 ;;
esac
