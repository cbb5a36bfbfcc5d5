// Figures that the API does not give: made of the rows that are loaded, and the page says so.
import type { Activity } from './api.ts';
import { shortened } from './text.ts';

/** By nearest rank; `sorted` ascending, `p` from 0 to 100. */
export function percentile(sorted: number[], p: number): number {
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length));
  return sorted[rank - 1] ?? 0;
}

export const durations = (rows: Activity[]): number[] => rows.map((row) => row.duration_ms).sort((a, b) => a - b);

export function average(values: number[]): number {
  return values.length ? values.reduce((sum, one) => sum + one, 0) / values.length : 0;
}

/** As the API's sums take them: `total` where an event has one, else all its counts. */
export function tokens(row: Activity): number {
  const { total } = row.token_usage;
  return total ?? Object.values(row.token_usage).reduce((sum, one) => sum + one, 0);
}

export interface Top {
  key: string;
  row: Activity;
  count: number;
  errors: number;
}

/** Most frequent first; ties in the order in which they were seen. */
export function top(rows: Activity[], keyOf: (row: Activity) => string, most: number): Top[] {
  const found = new Map<string, Top>();
  for (const row of rows) {
    const key = keyOf(row);
    const one = found.get(key) ?? { key, row, count: 0, errors: 0 };
    one.count += 1;
    if (!row.success) one.errors += 1;
    found.set(key, one);
  }
  return [...found.values()].sort((a, b) => b.count - a.count).slice(0, most);
}

export const who = (row: Activity): string => row.user_id ?? row.principal_id ?? 'anonymous';

/** An endpoint of an app by its ids, everything else by its route: the event's own ids are left out. */
export function endpoint(row: Activity): string {
  if (row.resource_type === 'endpoint' && row.resource_id) return [row.app_id, row.resource_id].filter(Boolean).join(' / ');
  const ids: Record<string, string | null> = {
    ...{ workspace: row.workspace_id, app: row.app_id, augmentation: row.augmentation_id, user: row.user_id, id: row.resource_id },
  };
  const name = (segment: string) => Object.keys(ids).find((one) => segment && ids[one] === segment);
  const segments = shortened(row.path).split('/');
  const route = segments.map((one) => (name(one) ? `{${name(one)}}` : one)).join('/');
  return `${row.method} ${route.replace('…/workspaces/{workspace}/', '…/')}`;
}
