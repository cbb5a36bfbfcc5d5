// What is asked beside the rows: the sums, the errors, and how much happened when.
import { useEffect, useReducer, useState } from 'preact/hooks';
import type { Api, Page, Summary } from './api.ts';
import { failureOf, type Loader } from './loader.ts';
import { iso, questionOf, type State } from './state.ts';
import { timeline, type Timeline } from './timeline.ts';

export interface Figures {
  summary: Summary | null;
  /** Exact, where the API counts them for this; null: of the loaded rows at most. */
  errors: number | null;
  timeline: Timeline | null;
  busy: boolean;
  problem: string;
}

const NONE: Figures = { summary: null, errors: null, timeline: null, busy: false, problem: '' };
const LIVE_MS = 30_000;
const HOUR = 3600;

export function useFigures(api: Api, loader: Loader, state: State, live: boolean): Figures {
  const [figures, set] = useState(NONE);
  const [tick, again] = useReducer((n: number) => n + 1, 0);
  const question = questionOf(state);

  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => document.hidden || again(0), LIVE_MS);
    return () => clearInterval(timer);
  }, [live]);
  useEffect(() => set(NONE), [question]);
  useEffect(() => {
    if (!loader.loaded || loader.busy === 'first') return;
    const stop = new AbortController();
    set((before) => ({ ...before, busy: true, problem: '' }));
    ask(api, loader, state, live, stop.signal, (part) => {
      if (!stop.signal.aborted) set((before) => ({ ...before, ...part }));
    }).then(
      () => stop.signal.aborted || set((before) => ({ ...before, busy: false })),
      (error: unknown) => {
        if (!stop.signal.aborted) set({ ...NONE, problem: failureOf(error).message });
      },
    );
    return () => stop.abort();
  }, [api, loader, loader.loaded, loader.next === null, question, state.split, tick]);
  return figures;
}

type Tell = (part: Partial<Figures>) => void;

async function ask(api: Api, loader: Loader, state: State, live: boolean, signal: AbortSignal, tell: Tell): Promise<void> {
  const { plan, window } = loader;
  if (!plan || !loader.total) return tell({ summary: null, errors: 0, timeline: null });
  // As the rows, which go on only when they are live.
  const now = live ? Date.now() / 1000 : window.to;
  const hours = (window.back ?? 0) / HOUR;
  if (plan.summary && Number.isInteger(hours) && hours >= 1 && hours <= 168) {
    const summary = (await api.get<Summary>(plan.summary, { hours: String(hours) }, signal)).body;
    tell({ summary, errors: summary.failed_requests });
  } else if (plan.searches && state.status !== 'success') {
    const params: Record<string, string> = { ...plan.filters, status: 'error', limit: '1', end_time: iso(now) };
    if (window.from !== null) params.start_time = iso(window.from);
    tell({ errors: (await api.get<Page>(plan.list, params, signal)).body.total, summary: null });
  }
  // Of all time: over the time of what is loaded.
  const oldest = Date.parse(loader.rows.at(-1)?.timestamp ?? '') / 1000;
  const from = window.from === null ? oldest : window.back ? now - window.back : window.from;
  if (!(from < now)) return;
  const all = loader.rows.length >= loader.total ? loader.rows : null;
  const made = await timeline(api, plan, state, { ...window, from, to: now }, all, signal);
  tell({ timeline: window.from === null ? { ...made, how: `${made.how}, since the oldest loaded row` } : made });
}
