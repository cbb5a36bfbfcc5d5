// The public API, and what its answers that are not 200 mean, in one plain sentence each.
import type { Params } from './plan.ts';

export interface Activity {
  id: string;
  timestamp: string;
  trace_id: string | null;
  user_id: string | null;
  workspace_id: string | null;
  app_id: string | null;
  principal_type: string | null;
  principal_id: string | null;
  token_id: string | null;
  token_type: string | null;
  method: string;
  path: string;
  resource_type: string | null;
  resource_id: string | null;
  action: string;
  status_code: number;
  success: boolean;
  error_code: string | null;
  duration_ms: number;
  execution_id: string | null;
  augmentation_id: string | null;
  stages_completed: number | null;
  total_stages: number | null;
  token_usage: Record<string, number>;
  metadata: Record<string, unknown>;
}
export interface Page {
  total: number;
  has_more: boolean;
  next_cursor: string | null;
  activities: Activity[];
}
export interface Summary {
  total_requests: number;
  successful_requests: number;
  failed_requests: number;
  avg_duration_ms: number;
  total_tokens_used: number;
  by_action: Record<string, number>;
  by_resource: Record<string, number>;
  start_time: string;
  end_time: string;
}

/** `token`: sign in anew. `later`: the same again after `retryAfter` seconds. `request`: ask for
 * something else. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly kind: 'token' | 'later' | 'request',
    readonly retryAfter = 0,
    readonly status = 0,
  ) {
    super(message);
  }
}

const HEADERS_WITHIN_MS = 30_000;
const AWAY_S = 5;

export class Api {
  constructor(private readonly token: string) {}

  /** A JSON answer, and through when it is complete. Throws Problem, or an AbortError. */
  async get<T>(path: string, params: Params, signal: AbortSignal): Promise<{ body: T; through: string | null }> {
    const response = await this.open(path, params, signal);
    if (!response.ok) throw await problemOf(response);
    try {
      return { body: parse(await response.text()), through: response.headers.get('activity-complete-through') };
    } catch {
      if (signal.aborted) throw signal.reason;
      throw new Problem('The answer broke off on its way.', 'later', AWAY_S);
    }
  }

  /** Returns when the headers are there; what follows has no limit in time. */
  async open(path: string, params: Params, signal: AbortSignal, headers: Params = {}): Promise<Response> {
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), HEADERS_WITHIN_MS);
    const query = new URLSearchParams(params).toString();
    try {
      return await fetch(query ? `${path}?${query}` : path, {
        headers: { authorization: `Bearer ${this.token}`, ...headers },
        signal: AbortSignal.any([signal, slow.signal]),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      });
    } catch {
      if (signal.aborted) throw signal.reason;
      const what = slow.signal.aborted ? 'does not answer' : 'cannot be reached';
      throw new Problem(`The API ${what}.`, 'later', AWAY_S);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Integers that JavaScript would round are kept as they were sent. */
export function parse<T>(text: string): T {
  const raw = (JSON as { rawJSON?: (text: string) => unknown }).rawJSON;
  return JSON.parse(text, ((_: string, value: unknown, context?: { source?: string }) => {
    const isRounded = typeof value === 'number' && !Number.isSafeInteger(value);
    return raw && isRounded && /^-?\d{16,}$/.test(context?.source ?? '') ? raw(context?.source ?? '') : value;
  }) as (key: string, value: unknown) => unknown) as T;
}

interface Told {
  message?: string;
  details?: Record<string, string>;
  detail?: { loc: string[]; msg: string }[];
}

export async function problemOf(response: Response): Promise<Problem> {
  const { status, headers } = response;
  const told = (await response.json().catch(() => ({}))) as Told;
  const details = told.details ?? {};
  const wait = Math.max(1, Number(headers.get('retry-after')) || AWAY_S);
  if (status === 401) {
    const reason = /error_description="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1];
    return new Problem(`The token is not accepted${reason ? `: ${reason}` : ''}. Sign in with another one.`, 'token', 0, status);
  }
  if (status === 403) {
    const right = details.required_permission;
    const needs = right ? ` It needs the permission ${right}, for this workspace.` : '';
    return new Problem(`This token may not see this.${needs}`, 'request', 0, status);
  }
  if (status === 404) return new Problem(missing(details), 'request', 0, status);
  if (status === 422) {
    const first = told.detail?.[0];
    const where = first?.loc.at(-1);
    return new Problem(first ? `${where}: ${first.msg}.` : 'The API does not take this question.', 'request', 0, status);
  }
  if (status === 429) {
    const at = details.limit === 'concurrent' ? ' at the same time' : '';
    return new Problem(`This organisation asks for too much${at}.`, 'later', wait, status);
  }
  if (status === 503) return new Problem(`${told.message ?? 'The API is away'}.`, 'later', wait, status);
  if (status >= 500) return new Problem(`The API failed (${status}).`, 'later', wait, status);
  return new Problem(`The API answered ${status}, which this page does not know.`, 'request', 0, status);
}

function missing(details: Record<string, string>): string {
  const { resource_type: kind, resource_id: id } = details;
  if (!kind || kind === 'route') return 'There is no such thing in this API.';
  if (kind === 'org') return `This token is not one of the organisation "${id}".`;
  return `There is no ${kind} "${id}" here, or it has no activity yet.`;
}
