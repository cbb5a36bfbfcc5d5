import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Activity } from './api.ts';
import { tokens, who } from './figures.ts';
import { MOST_ROWS, type Loader } from './loader.ts';
import type { Change, State } from './state.ts';
import { dayAndTime, duration, shortened, visible, whole } from './text.ts';

interface Props {
  loader: Loader;
  state: State;
  change: Change;
  live: boolean;
  open: string;
  show: (row: Activity) => void;
  table: RefObject<HTMLTableElement | null>;
}

const NAMES = ['Time, UTC', 'Status', 'Action', 'Resource', 'User', 'Request', 'Duration', 'Tokens'];
/** Rows that are drawn beyond the window, each way. */
const SPARE = 12;

/** Only the rows in sight are in the document: thousands cost no more than fifty. */
export function List({ loader, state, live, open, show, table }: Props) {
  const { rows, total, busy } = loader;
  const [at, setAt] = useState(0);
  const height = useRowHeight();
  const [first, last] = useInSight(table, rows.length, height);
  useGrown(table, rows, height);
  const current = Math.min(at, Math.max(0, rows.length - 1));
  const go = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setAt(next);
    if (open && rows[next]) show(rows[next]);
    const top = (table.current?.tBodies[0]?.getBoundingClientRect().top ?? 0) + scrollY + next * height;
    if (top < scrollY + 80) scrollTo({ top: top - 80 });
    if (top + height > scrollY + innerHeight - 8) scrollTo({ top: top + height - innerHeight + 8 });
    requestAnimationFrame(() => table.current?.querySelector<HTMLElement>('tr[tabindex="0"]')?.focus({ preventScroll: true }));
  };
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: rows.length - 1, PageDown: current + 15, PageUp: current - 15 };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      go(to);
    } else if (event.key === 'Enter' && rows[current]) {
      event.preventDefault();
      show(rows[current]);
    }
  };
  const from = Math.min(first, current);
  const drawn = rows.slice(first, last).map((row, n) => [row, first + n] as const);
  const outside = rows[current] && (current < first || current >= last);
  return (
    <section class={busy === 'first' ? 'list busy' : 'list'} aria-label="Events" aria-busy={busy !== ''}>
      <p class="count" aria-live="polite">
        {total === null ? (busy ? 'Loading …' : 'No answer.') : `${whole(rows.length)} of ${whole(total)} events, newest first`}
        {live && <span class="on">live</span>}
      </p>
      {rows.length > 0 && (
        <table role="grid" aria-rowcount={rows.length + 1} aria-label="Events, newest first" ref={table} onKeyDown={press}>
          <thead>
            <tr role="row" aria-rowindex={1}>
              {NAMES.map((name) => (
                <th role="columnheader" scope="col" key={name} class={`c-${name.split(/[ ,]/)[0]?.toLowerCase()}`}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <Gap height={first * height} />}
            {outside && from < first && <Row row={rows[current] as Activity} n={current} hidden current open={false} fresh={false} pick={() => undefined} />}
            {drawn.map(([row, n]) => (
              <Row
                key={row.id}
                {...{ row, n }}
                current={n === current}
                open={row.id === open}
                fresh={loader.fresh.has(row.id)}
                pick={() => {
                  setAt(n);
                  show(row);
                }}
              />
            ))}
            {last < rows.length && <Gap height={(rows.length - last) * height} />}
          </tbody>
        </table>
      )}
      {rows.length === 0 && total === 0 && (
        <div class="nothing">
          <strong>Nothing here.</strong>
          <span>{live ? 'Waiting for events …' : state.range === 'all' ? 'No event matches.' : 'No event matches in this range. Try a longer one.'}</span>
        </div>
      )}
      {rows.length === 0 && total === null && busy === 'first' && <div class="nothing blank" />}
      <More loader={loader} />
    </section>
  );
}

function More({ loader }: { loader: Loader }) {
  const { rows, next, busy, total } = loader;
  if (!rows.length) return null;
  if (rows.length >= MOST_ROWS) return <p class="end">{whole(MOST_ROWS)} rows are all that this page holds: choose a shorter range.</p>;
  if (!next) return <p class="end">The end: all {whole(total ?? rows.length)} are here.</p>;
  const all = busy === 'all';
  return (
    <p class="end">
      <button type="button" disabled={busy !== ''} onClick={() => void loader.more(false)}>
        {busy === 'more' ? 'Loading …' : 'Load older'}
      </button>
      <button type="button" disabled={busy !== '' && !all} onClick={() => (all ? loader.enough() : void loader.more(true))}>
        {all ? `Stop at ${whole(rows.length)}` : 'Load all'}
      </button>
    </p>
  );
}

const Gap = ({ height }: { height: number }) => (
  <tr aria-hidden="true" class="gap">
    <td style={{ height: `${height}px` }} />
  </tr>
);

interface RowProps {
  row: Activity;
  n: number;
  current: boolean;
  open: boolean;
  fresh: boolean;
  hidden?: boolean;
  pick: () => void;
}

function Row({ row, n, current, open, fresh, hidden = false, pick }: RowProps) {
  const [date, time] = dayAndTime(row.timestamp);
  const resource = [row.resource_type, row.resource_id].filter(Boolean).join(' ');
  const spent = tokens(row);
  const kind = row.success ? 'ok' : row.status_code >= 500 ? 'bad' : 'warn';
  return (
    <tr
      role="row"
      aria-rowindex={n + 2}
      aria-selected={open}
      tabIndex={current ? 0 : -1}
      class={[fresh && 'fresh', hidden && 'sr'].filter(Boolean).join(' ')}
      data-id={row.id}
      onClick={pick}
    >
      <Cell name="time">
        <span class="date">{date}</span> {time}
      </Cell>
      <Cell name="status">
        <span class={`code ${kind}`}>{row.status_code}</span>
      </Cell>
      <Cell name="action">
        <i class={`dot s-${row.action}`} aria-hidden="true" />
        {row.action}
      </Cell>
      <Cell name="resource" text={resource} />
      <Cell name="user" text={row.user_id || row.principal_id ? who(row) : ''} />
      <Cell name="request" text={`${row.method} ${row.path}`} shown={`${row.method} ${shortened(row.path)}`} />
      <Cell name="duration">{duration(row.duration_ms)}</Cell>
      <Cell name="tokens">{spent ? whole(spent) : ''}</Cell>
    </tr>
  );
}

interface CellProps {
  name: string;
  /** The whole of it, for the tip. */
  text?: string;
  shown?: string;
  children?: ComponentChildren;
}

function Cell({ name, text, shown = text, children }: CellProps) {
  return (
    <td role="gridcell" class={`c-${name}`} {...(text && { title: visible(text) })}>
      {shown === undefined ? children : <bdi>{visible(shown)}</bdi>}
    </td>
  );
}

/** As the style sheet has it: a phone's rows have two lines. */
function useRowHeight(): number {
  const read = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 30;
  const [height, set] = useState(read);
  useEffect(() => {
    const look = () => set(read());
    addEventListener('resize', look);
    return () => removeEventListener('resize', look);
  }, []);
  return height;
}

function useInSight(table: RefObject<HTMLTableElement | null>, count: number, height: number): [number, number] {
  const [sight, set] = useState<[number, number]>([0, 60]);
  useLayoutEffect(() => {
    const look = () => {
      const top = table.current?.tBodies[0]?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / height) - SPARE);
      const last = Math.max(0, Math.ceil((innerHeight - top) / height) + SPARE);
      set((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [count, height]);
  return [Math.min(sight[0], Math.max(0, count - 1)), Math.min(sight[1], count)];
}

/** Whoever has scrolled down to read stays where he is when new rows come in above. */
function useGrown(table: RefObject<HTMLTableElement | null>, rows: Activity[], height: number): void {
  const before = useRef<Activity[]>([]);
  useLayoutEffect(() => {
    const newest = before.current[0];
    const n = newest ? rows.indexOf(newest) : 0;
    before.current = rows;
    const top = table.current?.tBodies[0]?.getBoundingClientRect().top ?? 0;
    if (n > 0 && top < 0) scrollBy({ top: n * height });
  }, [rows]);
}
