// The rows that are loaded: the first page, further pages on demand, and what the live tail brings.
import { Problem, type Activity, type Api, type Page } from './api.ts';
import { CannotAskError, plan, type Params, type Plan } from './plan.ts';
import { iso, windowOf, type State, type Window } from './state.ts';
import { tail, type Asked } from './tail.ts';
import { wait } from './wait.ts';

const PAGE = '200';
/** So many rows a browser holds with ease. */
export const MOST_ROWS = 20_000;

export interface Failure {
  message: string;
  needsToken: boolean;
  /** When it is tried again, in ms since 1970; 0: not by itself. */
  again: number;
}

export class Loader {
  rows: Activity[] = [];
  /** Of the filter, not of what is loaded; null: not known yet. */
  total: number | null = null;
  through: string | null = null;
  next: string | null = null;
  busy: 'first' | 'more' | 'all' | '' = '';
  failure: Failure | null = null;
  tailFailure: Failure | null = null;
  /** Came live, in this session. */
  fresh = new Set<string>();
  window: Window = { from: null, to: 0, back: null };
  plan: Plan | null = null;
  /** Rises with each first page. */
  loaded = 0;
  private known = new Set<string>();
  private params: Params = {};
  private stop = new AbortController();

  constructor(
    private readonly api: Api,
    private readonly changed: () => void,
  ) {}

  /** The first page of another question; what is under way for the one before is given up. */
  async load(state: State): Promise<void> {
    this.stop.abort();
    const { signal } = (this.stop = new AbortController());
    this.busy = 'first';
    this.failure = this.tailFailure = null;
    this.changed();
    await this.persist(signal, async () => {
      this.plan = plan(state);
      this.window = windowOf(state, Date.now() / 1000);
      this.params = { ...this.plan.filters };
      if (this.window.from !== null) this.params.start_time = iso(this.window.from);
      if (!state.range && state.end_time) this.params.end_time = iso(this.window.to);
      const { body, through } = await this.page({}, signal);
      this.rows = body.activities;
      this.known = new Set(this.rows.map((row) => row.id));
      this.fresh = new Set();
      this.through = through;
      this.loaded += 1;
    });
    if (signal.aborted || !this.failure) return;
    // What is still there is the answer to another question.
    this.rows = [];
    this.total = this.next = this.through = null;
    this.changed();
  }

  /** The next page, or all that are left. */
  async more(all: boolean): Promise<void> {
    if (this.busy || !this.next) return;
    const { signal } = this.stop;
    this.busy = all ? 'all' : 'more';
    this.changed();
    await this.persist(signal, async () => {
      do {
        const { body } = await this.page({ cursor: this.next ?? '' }, signal);
        const added = body.activities.filter((row) => !this.known.has(row.id));
        for (const row of added) this.known.add(row.id);
        this.rows = [...this.rows, ...added];
        this.changed();
      } while (this.busy === 'all' && this.next && this.rows.length < MOST_ROWS);
    });
  }

  /** Ends `more(true)` after the page that is under way. */
  enough(): void {
    if (this.busy === 'all') this.busy = 'more';
    this.changed();
  }

  /** Until the signal, or until another question is loaded. */
  async follow(signal: AbortSignal): Promise<void> {
    if (!this.plan) return;
    const both = AbortSignal.any([signal, this.stop.signal]);
    const { list, stream, streamFilters } = this.plan;
    try {
      await tail(
        {
          ...{ api: this.api, list, stream, listParams: this.params, streamParams: streamFilters },
          isKnown: (id) => this.known.has(id),
          took: (items, asked) => this.add(items, asked),
          failed: (problem) => {
            if (!problem && !this.tailFailure) return;
            this.tailFailure = problem && failureOf(problem);
            this.changed();
          },
        },
        both,
      );
    } catch (error) {
      if (both.aborted) return;
      this.failure = failureOf(error);
      this.changed();
    }
  }

  end(): void {
    this.stop.abort();
  }

  private add(items: Activity[], asked: Asked | null): void {
    if (asked?.next) {
      // More came than the tail takes at once: the older ones are read from there.
      this.rows = [];
      this.known = new Set();
      this.next = asked.next;
    }
    const room = Math.max(0, MOST_ROWS - this.rows.length);
    const added = items.filter((row) => !this.known.has(row.id)).slice(0, room);
    const before = [this.total, this.through];
    this.total = asked?.total ?? (this.total ?? 0) + added.length;
    this.through = asked?.through ?? this.through;
    if (!added.length && before[0] === this.total && before[1] === this.through) return;
    for (const row of added) {
      this.known.add(row.id);
      this.fresh.add(row.id);
    }
    // A late one belongs where its time is.
    this.rows = [...added, ...this.rows].sort((a, b) => (a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : 0));
    this.changed();
  }

  private async page(more: Params, signal: AbortSignal): Promise<{ body: Page; through: string | null }> {
    if (!this.plan) throw new Problem('Nothing was asked for.', 'request');
    const answer = await this.api.get<Page>(this.plan.list, { ...this.params, limit: PAGE, ...more }, signal);
    if (!more.cursor) this.total = answer.body.total;
    this.next = answer.body.next_cursor;
    return answer;
  }

  /** Tries again by itself what only time can mend. */
  private async persist(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        this.failure = null;
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.failure = failureOf(error);
        if (!this.failure.again) break;
        this.changed();
        await wait(this.failure.again - Date.now(), signal).catch(() => undefined);
        if (signal.aborted) return;
      }
    }
    this.busy = '';
    this.changed();
  }
}

export function failureOf(error: unknown): Failure {
  const isOurs = error instanceof Problem || error instanceof CannotAskError;
  const message = isOurs ? error.message : 'This page has a fault; reload it.';
  if (!isOurs) console.error(error);
  const seconds = error instanceof Problem && error.kind === 'later' ? error.retryAfter : 0;
  const needsToken = error instanceof Problem && error.kind === 'token';
  return { message, needsToken, again: seconds ? Date.now() + seconds * 1000 : 0 };
}
