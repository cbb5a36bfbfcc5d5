import { useEffect, useState } from 'preact/hooks';
import type { Activity } from './api.ts';
import type { Loader } from './loader.ts';
import { ACTIONS, FILTERS, hasThing, THINGS, without, type Change, type Name, type State } from './state.ts';
import { visible } from './text.ts';

interface Props {
  state: State;
  change: Change;
  loader: Loader;
}

const WORDS: Partial<Record<Name, string>> = { app_id: 'App', endpoint_id: 'Endpoint', augmentation_id: 'Augmentation', resource_id: 'Resource' };

export function Filters({ state, change, loader }: Props) {
  const thing = hasThing(state);
  const searches = state.workspace_id !== '' && !state.me && !thing;
  const byUser = searches || (!state.me && !thing);
  const why = state.me || thing ? 'The API has no filters for this selection.' : 'Enter a workspace: the API filters within one.';
  const text = { state, change, loader };
  const isSet = FILTERS.some((name) => state[name]) || thing || state.me;
  // On a phone only the first two are there, unless others are set.
  const [folded, setFolded] = useState(!isSet);
  return (
    <form class={folded ? 'filters folded' : 'filters'} aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <Text {...text} name="workspace_id" label="Workspace" first clears={THINGS} />
      <label>
        Whose
        <select name="me" value={state.me} onChange={(event) => change({ me: event.currentTarget.value })}>
          <option value="">Everyone</option>
          <option value="1">Me</option>
        </select>
      </label>
      <Text {...text} name="user_id" label="User" off={!byUser} />
      <Pick {...text} name="action" label="Action" options={ACTIONS} off={!searches} />
      <Text {...text} name="resource_type" label="Resource type" off={!searches} />
      <Pick {...text} name="status" label="Outcome" options={['success', 'error']} off={!searches} />
      <label class="span">
        <span id="ms">Duration, ms</span>
        <span class="pair">
          <Bare {...text} name="min_duration_ms" label="At least, ms" placeholder="from" off={!searches} />
          <Bare {...text} name="max_duration_ms" label="At most, ms" placeholder="to" off={!searches} />
        </span>
      </label>
      {thing &&
        THINGS.filter((name) => state[name]).map((name) => (
          <button type="button" class="chip" key={name} onClick={() => change({ [name]: '' })} aria-label={`Remove: ${WORDS[name]} ${visible(state[name])}`}>
            {WORDS[name]} <bdi>{visible(state[name])}</bdi> ×
          </button>
        ))}
      {isSet && (
        <button type="button" class="clear" onClick={() => change(without([...FILTERS, ...THINGS, 'me']))}>
          Clear
        </button>
      )}
      <button type="button" class="narrow" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
        {folded ? 'More filters' : 'Fewer filters'}
      </button>
      {!searches && <p class="hint">{why}</p>}
    </form>
  );
}

interface FieldProps extends Props {
  name: Name;
  label: string;
  off?: boolean;
  first?: boolean;
  placeholder?: string;
  clears?: readonly Name[];
}

function Text(props: FieldProps) {
  return (
    <label>
      {props.label}
      <Bare {...props} label="" />
    </label>
  );
}

function Bare({ state, change, loader, name, label, off = false, first = false, placeholder = 'any', clears = [] }: FieldProps) {
  const [value, set] = useState(state[name]);
  useEffect(() => set(state[name]), [state[name]]);
  const isNumber = name.endsWith('_ms');
  const seen = isNumber ? [] : known(loader.rows, name as keyof Activity);
  return (
    <>
      <input
        {...(label && { 'aria-label': label })}
        {...(first && { 'data-first-filter': true })}
        {...(seen.length > 0 && { list: `seen-${name}` })}
        type={isNumber ? 'number' : 'text'}
        {...(isNumber && { min: 0, step: 'any' })}
        name={name}
        disabled={off}
        placeholder={off ? '–' : placeholder}
        value={value}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => set(event.currentTarget.value)}
        onChange={(event) => change({ ...without(clears), [name]: event.currentTarget.value.trim() })}
      />
      {seen.length > 0 && (
        <datalist id={`seen-${name}`}>
          {seen.map((one) => (
            <option value={one} key={one} />
          ))}
        </datalist>
      )}
    </>
  );
}

function Pick({ state, change, name, label, options, off = false }: FieldProps & { options: readonly string[] }) {
  return (
    <label>
      {label}
      <select name={name} disabled={off} value={state[name]} onChange={(event) => change({ [name]: event.currentTarget.value })}>
        <option value="">{off ? '–' : 'any'}</option>
        {options.map((one) => (
          <option value={one} key={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What the loaded rows have, to choose from. */
function known(rows: Activity[], name: keyof Activity): string[] {
  const found = new Set<string>();
  for (const row of rows) if (typeof row[name] === 'string') found.add(row[name]);
  return [...found].sort().slice(0, 200);
}
