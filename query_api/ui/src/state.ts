// What is shown is one flat record, in the API's own names, and stands in the address after `#`: so it
// can be shared, goes to no server's log, and never holds the token.

const DEFAULTS = {
  org_id: '',
  workspace_id: '',
  me: '',
  range: '24h',
  start_time: '',
  end_time: '',
  action: '',
  resource_type: '',
  user_id: '',
  status: '',
  min_duration_ms: '',
  max_duration_ms: '',
  app_id: '',
  endpoint_id: '',
  augmentation_id: '',
  resource_id: '',
  split: 'outcome',
  live: '',
  event: '',
};
export type Name = keyof typeof DEFAULTS;
export type State = Record<Name, string>;
export type Change = (changed: Partial<State>) => void;

export const NAMES = Object.keys(DEFAULTS) as Name[];
/** What only a search knows. */
export const FILTERS = ['action', 'resource_type', 'user_id', 'status', 'min_duration_ms', 'max_duration_ms'] as const;
/** One thing whose activity is shown; the API has no further filters for these. */
export const THINGS = ['app_id', 'endpoint_id', 'augmentation_id', 'resource_id'] as const;
export const ACTIONS = ['create', 'read', 'update', 'delete', 'execute', 'trigger'] as const;

/** Seconds back from now. */
export const RANGES: Record<string, number> = {
  '15m': 900,
  '1h': 3600,
  '6h': 6 * 3600,
  '24h': 86_400,
  '7d': 7 * 86_400,
  '30d': 30 * 86_400,
};

export function parse(fragment: string): State {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const state = { ...DEFAULTS };
  for (const name of NAMES) state[name] = given.get(name) ?? DEFAULTS[name];
  return possible(state);
}

export const hasThing = (state: State): boolean => THINGS.some((name) => state[name]);
export const without = (names: readonly Name[]): Partial<State> => Object.fromEntries(names.map((name) => [name, '']));

/** Without what the API cannot be asked together with the rest: nothing is shown as a filter that is none. */
export function possible(state: State): State {
  if (state.me) return { ...state, ...without([...FILTERS, ...THINGS]) };
  if (!state.workspace_id) return { ...state, ...without([...FILTERS, ...THINGS]), user_id: state.user_id };
  return hasThing(state) ? { ...state, ...without(FILTERS) } : state;
}

export function format(state: State): string {
  const changed = NAMES.filter((name) => state[name] !== DEFAULTS[name]);
  return `#${new URLSearchParams(changed.map((name) => [name, state[name]]))}`;
}

/** What one question depends on: not which row is open, not whether it is live. */
export const questionOf = (state: State): string => format({ ...state, event: '', live: '', split: '' });

/** Seconds since 1970; `from` null: since ever. */
export interface Window {
  from: number | null;
  to: number;
  /** Seconds back from now, where that is how it was asked for. */
  back: number | null;
}

export function windowOf(state: State, now: number): Window {
  const back = RANGES[state.range];
  if (back) return { from: now - back, to: now, back };
  if (state.range === 'all') return { from: null, to: now, back: null };
  const [from, to] = [Date.parse(state.start_time) / 1000, Date.parse(state.end_time) / 1000];
  return { from: Number.isNaN(from) ? null : from, to: Number.isNaN(to) ? now : to, back: null };
}

export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
