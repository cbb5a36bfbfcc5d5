// The live tail: the API's stream of server-sent events where there is one, else the list's first page
// every two seconds. Both give the same items; which one it is makes no difference to a reader.
import { createParser } from 'eventsource-parser';
import { parse, Problem, problemOf, type Activity, type Api, type Page } from './api.ts';
import type { Params } from './plan.ts';
import { untilSeen, wait } from './wait.ts';

export interface Asked {
  total: number;
  through: string | null;
  /** Where the list goes on behind these, if more came than were taken: then they are not next to what was
   * known before. */
  next: string | null;
}
export interface TailOptions {
  api: Api;
  list: string;
  /** Filters and time range of the list. */
  listParams: Params;
  /** '' where there is none for this. */
  stream: string;
  streamParams: Params;
  /** Whether an event of this id is known: then so are all before it. */
  isKnown: (id: string) => boolean;
  /** Newest first; `asked`: what the list said, where it was asked. */
  took: (items: Activity[], asked: Asked | null) => void;
  /** null: all is well again. */
  failed: (problem: Problem | null) => void;
}

const POLL_MS = 2000;
const PAGE = '50';
const MOST_PAGES = 20;
/** A stream that is silent for so long, without a heartbeat, is dead. */
const SILENT_MS = 60_000;
const AGAIN_MS = 1000;
/** With a stream the list is asked now and then, too: for its total, and for what comes by another way. */
const CHECK_MS = 10_000;
/** No stream for this reader, with these filters, or for so many: the list may still be read. */
const NOT_FOR_THIS = [403, 406, 422, 429, 503];
/** An API that has none at all: it is not asked again. */
const HAS_NONE = [404, 405, 410, 501];
const without = new Set<string>();

/** Goes on until the signal. Throws Problem where a new token is needed. */
export async function tail(options: TailOptions, signal: AbortSignal): Promise<void> {
  const at = { lastEventId: '', streams: options.stream !== '' && !without.has(options.stream) };
  for (;;) {
    try {
      if (at.streams) at.streams = await follow(options, at, signal);
      else await poll(options, signal);
      options.failed(null);
      await wait(at.streams ? AGAIN_MS : POLL_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Problem ? error : new Problem('The live tail broke off.', 'later', 5);
      if (problem.kind === 'token') throw problem;
      options.failed(problem);
      await wait(1000 * Math.max(1, problem.retryAfter), signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }
}

/** The newest that are not known yet, also where they are more than a page. */
async function poll({ api, list, listParams, isKnown, took }: TailOptions, signal: AbortSignal): Promise<void> {
  await untilSeen(signal);
  let asked: Asked | null = null;
  const found: Activity[] = [];
  const params: Params = { ...listParams, limit: PAGE };
  for (let page = 0; page < MOST_PAGES; page++) {
    const { body, through } = await api.get<Page>(list, params, signal);
    asked ??= { total: body.total, through, next: null };
    const fresh = body.activities.filter((one) => !isKnown(one.id));
    found.push(...fresh);
    asked.next = fresh.length < body.activities.length ? null : body.next_cursor;
    if (!asked.next) break;
    params.cursor = asked.next;
  }
  took(found, asked);
}

async function check(options: TailOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(CHECK_MS, signal).catch(() => undefined);
    if (!signal.aborted) await poll(options, signal).catch(() => undefined); // the stream tells what is wrong
  }
}

/** False: there is no stream here. Returns true when the server ended it: it can be gone on with. */
async function follow(options: TailOptions, at: { lastEventId: string }, signal: AbortSignal): Promise<boolean> {
  const cut = new AbortController();
  const both = AbortSignal.any([signal, cut.signal]);
  const headers: Params = { accept: 'text/event-stream' };
  if (at.lastEventId) headers['last-event-id'] = at.lastEventId;
  const response = await options.api.open(options.stream, options.streamParams, both, headers);
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  const { status } = response;
  const hasNone = HAS_NONE.includes(status) || (response.ok && !isStream);
  if (hasNone) without.add(options.stream);
  if (hasNone || NOT_FOR_THIS.includes(status) || !response.body) {
    cut.abort();
    return false;
  }
  if (status === 400 && at.lastEventId) {
    at.lastEventId = ''; // it is too old to go on from: the list has what came since
    cut.abort();
    return true;
  }
  if (!response.ok) throw await problemOf(response);
  let batch: Activity[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (id) at.lastEventId = id;
      if (event === 'activity') batch.unshift(parse<Activity>(data));
    },
  });
  // What came between the list and the stream's beginning.
  if (!at.lastEventId) await poll(options, signal);
  options.failed(null);
  void check(options, both);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const timer = setTimeout(() => cut.abort(), SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return true;
      parser.feed(value);
      if (batch.length) options.took(batch, null);
      batch = [];
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return true; // cut, by the network or for being slow: it goes on behind the last one
  } finally {
    cut.abort();
  }
}
