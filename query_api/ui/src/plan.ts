// Which of the API's 15 endpoints answers what is asked for, and what they cannot answer.
import { FILTERS, THINGS, type State } from './state.ts';

export type Params = Record<string, string>;

export interface Plan {
  /** Of the list, below the API's address. */
  list: string;
  /** Of the list, without times, limit and cursor. */
  filters: Params;
  /** Whether the list can be asked by action, outcome and so on. */
  searches: boolean;
  /** Of the sums, where there are some for exactly this. */
  summary: string | null;
  /** Of the live stream, with its filters. */
  stream: string;
  streamFilters: Params;
}

export class CannotAskError extends Error {}

function segment(id: string): string {
  // A browser tidies such segments away, escaped or not, and would ask for something else.
  if (id === '.' || id === '..') throw new CannotAskError(`A browser cannot ask for the id "${id}".`);
  return encodeURIComponent(id);
}

const given = (state: State, names: readonly (keyof State)[]): Params =>
  Object.fromEntries(names.filter((name) => state[name]).map((name) => [name, state[name]]));

export function plan(state: State): Plan {
  const org = `v1/orgs/${segment(state.org_id)}`;
  const stream = `${org}/activity/stream`;
  const workspace = state.workspace_id;
  const inside = `${org}/workspaces/${segment(workspace)}`;
  const streamFilters = given(state, ['workspace_id', ...FILTERS, ...THINGS]);
  const one = (list: string, summary: string | null, filters: Params = {}): Plan => ({
    ...{ list, filters, searches: false, summary, stream, streamFilters },
  });
  if (state.me) {
    // The stream has no `me`.
    const mine = one(`${org}/me/activity`, workspace ? null : `${org}/me/activity/summary`, given(state, ['workspace_id']));
    return { ...mine, stream: '' };
  }
  if (workspace && state.app_id && state.endpoint_id) {
    const list = `${inside}/apps/${segment(state.app_id)}/endpoints/${segment(state.endpoint_id)}/activity`;
    return one(list, `${list}/summary`);
  }
  if (workspace && state.app_id) return one(`${inside}/apps/${segment(state.app_id)}/activity`, null);
  if (workspace && state.augmentation_id)
    return one(`${inside}/augmentations/${segment(state.augmentation_id)}/activity`, null);
  if (workspace && state.resource_id) return one(`${inside}/resources/${segment(state.resource_id)}/activity`, null);
  if (workspace) {
    const filters = given(state, FILTERS);
    const summary = Object.keys(filters).length ? null : `${inside}/activity/summary`;
    return { ...one(`${inside}/activity/search`, summary, filters), searches: true };
  }
  if (state.user_id) {
    const list = `${org}/users/${segment(state.user_id)}/activity`;
    return one(list, `${list}/summary`);
  }
  return one(`${org}/activity`, `${org}/activity/summary`);
}
