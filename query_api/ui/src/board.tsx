import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Api, type Activity } from './api.ts';
import { Details } from './details.tsx';
import { Filters } from './filters.tsx';
import { Header } from './header.tsx';
import { Help, useKeys } from './keys.tsx';
import { List } from './list.tsx';
import { Loader } from './loader.ts';
import { Panels } from './panels.tsx';
import { questionOf, type Change, type State } from './state.ts';
import { Failed } from './status.tsx';
import { Tiles } from './tiles.tsx';
import { useFigures } from './usefigures.ts';

interface Props {
  token: string;
  state: State;
  change: Change;
  signOut: (why?: string) => void;
}

export function Board({ token, state, change, signOut }: Props) {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const api = useMemo(() => new Api(token), [token]);
  const loader = useMemo(() => new Loader(api, () => draw(0)), [api]);
  const [tick, again] = useReducer((n: number) => n + 1, 0);
  const [helps, setHelps] = useState(false);
  const question = questionOf(state);
  const live = state.live !== '' && state.end_time === '';

  useEffect(() => void loader.load(state), [loader, question, tick]);
  useEffect(() => () => loader.end(), [loader]);
  const loaded = loader.loaded;
  useEffect(() => {
    if (!live || !loaded) return;
    const stop = new AbortController();
    void loader.follow(stop.signal);
    return () => stop.abort();
  }, [loader, live, loaded]);
  const figures = useFigures(api, loader, state, live);

  const refused = loader.failure?.needsToken ? loader.failure.message : '';
  useEffect(() => {
    if (refused) signOut(refused);
  }, [refused]);
  useEffect(() => {
    document.title = [state.workspace_id, state.org_id, 'Activity'].filter(Boolean).join(' · ');
  }, [state.org_id, state.workspace_id]);

  const open = loader.rows.find((row) => row.id === state.event);
  const rows = useRef<HTMLTableElement>(null);
  const show = (row: Activity | undefined) => change({ event: row?.id ?? '' });
  const close = () => {
    show(undefined);
    rows.current?.querySelector<HTMLElement>('tr[tabindex="0"]')?.focus();
  };
  const toggleLive = () => change(live ? { live: '' } : { live: '1', ...(state.end_time && { end_time: '', start_time: '', range: '1h' }) });
  useKeys({
    '/': () => document.querySelector<HTMLElement>('[data-first-filter]')?.focus(),
    r: () => again(0),
    l: toggleLive,
    n: () => void loader.more(false),
    e: () => change({ status: state.status === 'error' ? '' : 'error' }),
    '?': () => setHelps(true),
    Escape: () => (helps ? setHelps(false) : open && close()),
    j: () => move(rows.current, 1),
    k: () => move(rows.current, -1),
  });

  return (
    <>
      <Header {...{ state, change, live, toggleLive, loader }} refresh={() => again(0)} help={() => setHelps(true)} signOut={() => signOut()} />
      <main class={open ? 'board with-details' : 'board'}>
        <h1 class="sr">Activity of {state.org_id}</h1>
        <Filters {...{ state, change, loader }} />
        <Failed failure={loader.failure} retry={() => again(0)} />
        {live && <Failed failure={loader.tailFailure} retry={() => again(0)} />}
        <Tiles {...{ state, loader, figures }} />
        <Panels {...{ state, change, loader, figures }} />
        <div class="below">
          <List {...{ loader, state, change, live }} open={open?.id ?? ''} show={show} table={rows} />
          {open && <Details row={open} {...{ state, change, close }} />}
        </div>
      </main>
      {helps && <Help close={() => setHelps(false)} />}
    </>
  );
}

function move(table: HTMLTableElement | null, by: number): void {
  const current = table?.querySelector<HTMLElement>('tr[tabindex="0"]');
  const isIn = current?.contains(document.activeElement);
  const key = by > 0 ? 'ArrowDown' : 'ArrowUp';
  current?.focus();
  if (isIn) current?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
}
