// How much happened when: counted by the API itself, or of the rows where all of them are loaded; never guessed
// from some of them.
import type { Activity, Api, Page, Summary } from './api.ts';
import type { Params, Plan } from './plan.ts';
import { ACTIONS, iso, type State, type Window } from './state.ts';

export type Split = 'outcome' | 'action';
export interface Timeline {
  /** Where each step begins, seconds since 1970, and how long it is. */
  starts: number[];
  step: number;
  series: { name: string; counts: number[] }[];
  how: string;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
const MOST_STEPS = 32;
const AT_ONCE = 4;
const HOUR = 3600;

type Bounded = Window & { from: number };

/** `all`: the rows, if none is missing. */
export async function timeline(
  api: Api,
  plan: Plan,
  state: State,
  window: Bounded,
  all: Activity[] | null,
  signal: AbortSignal,
): Promise<Timeline> {
  const split: Split = state.split === 'action' ? 'action' : 'outcome';
  if (all) return byRows(all, window, split);
  const hours = (window.back ?? 0) / HOUR;
  if (plan.summary && hours >= 6 && hours <= 168 && (hours >= 24 || !plan.searches))
    return bySummaries(api, plan.summary, window.to, hours, split, signal);
  return byTotals(api, plan, window, split, signal);
}

/** The sums of the last 1, 2, 3, ... hours: what each has more than the one before it is its hour's. */
async function bySummaries(
  api: Api,
  path: string,
  to: number,
  hours: number,
  split: Split,
  signal: AbortSignal,
): Promise<Timeline> {
  const step = hours > 48 ? 6 : 1;
  const lengths = Array.from({ length: hours / step }, (_, n) => (n + 1) * step);
  const sums = await pool(lengths, async (length) => {
    return (await api.get<Summary>(path, { hours: String(length) }, signal)).body;
  });
  const parts = (sum: Summary): Record<string, number> =>
    split === 'action' ? sum.by_action : { success: sum.successful_requests, error: sum.failed_requests };
  const names = split === 'action' ? ACTIONS : ['success', 'error'];
  const counts = (name: string) =>
    sums.map((sum, n) => {
      const before = sums[n - 1];
      return Math.max(0, (parts(sum)[name] ?? 0) - (before ? (parts(before)[name] ?? 0) : 0));
    });
  return {
    starts: lengths.map((length) => to - length * HOUR).reverse(),
    step: step * HOUR,
    series: names.map((name) => ({ name, counts: counts(name).reverse() })),
    how: `Counted by the API, in steps of ${step} h`,
  };
}

function byRows(rows: Activity[], window: Bounded, split: Split): Timeline {
  const { starts, step } = steps(window);
  const names = split === 'action' ? [...ACTIONS] : ['success', 'error'];
  const series = names.map((name) => ({ name, counts: starts.map(() => 0) }));
  for (const row of rows) {
    const counts = series[names.indexOf(split === 'action' ? row.action : row.success ? 'success' : 'error')]?.counts;
    const at = Math.floor((Date.parse(row.timestamp) / 1000 - (starts[0] ?? 0)) / step);
    // What came since the window was set belongs to its end.
    const n = Math.max(0, Math.min(starts.length - 1, at));
    if (counts) counts[n] = (counts[n] ?? 0) + 1;
  }
  return { starts, step, series, how: 'Of all rows' };
}

/** Some thirty, of a length that people count in. */
function steps(window: Bounded): { starts: number[]; step: number } {
  const length = Math.max(1, window.to - window.from);
  const step = STEPS.find((one) => length / one <= MOST_STEPS - 1) ?? Math.ceil(length / MOST_STEPS / 86_400) * 86_400;
  const starts: number[] = [];
  for (let at = Math.floor(window.from / step) * step; at < window.to; at += step) starts.push(at);
  return { starts, step };
}

/** The list's own total of each step. */
async function byTotals(
  api: Api,
  plan: Plan,
  window: Bounded,
  split: Split,
  signal: AbortSignal,
): Promise<Timeline> {
  const { starts, step } = steps(window);
  const { names, filtersOf, how } = kinds(plan, split);
  const asked = names.flatMap((name) => starts.map((at) => ({ name, at })));
  const totals = await pool(asked, async ({ name, at }) => {
    const start_time = iso(Math.max(at, window.from));
    const end_time = iso(Math.min(at + step, window.to));
    const params = { ...plan.filters, ...filtersOf(name), start_time, end_time, limit: '1' };
    return (await api.get<Page>(plan.list, params, signal)).body.total;
  });
  const series = names.map((name, n) => ({ name, counts: totals.slice(n * starts.length, (n + 1) * starts.length) }));
  return { starts, step, series, how };
}

function kinds(plan: Plan, split: Split): { names: string[]; filtersOf: (name: string) => Params; how: string } {
  if (!plan.searches) {
    const how = 'Counted by the API, which splits this range only within a workspace';
    return { names: ['all'], filtersOf: () => ({}), how };
  }
  const [filter, all] = split === 'action' ? ['action', [...ACTIONS]] : ['status', ['success', 'error']];
  const only = plan.filters[filter as string];
  const names = (all as string[]).filter((name) => !only || name === only);
  return { names, filtersOf: (name) => ({ [filter as string]: name }), how: 'Counted by the API' };
}

/** Some at a time, in their order: the API lets an organisation have but a few queries at once. */
async function pool<In, Out>(all: In[], ask: (one: In) => Promise<Out>): Promise<Out[]> {
  const found: Out[] = new Array(all.length);
  let next = 0;
  const work = async () => {
    while (next < all.length) {
      const n = next++;
      found[n] = await ask(all[n] as In);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}
