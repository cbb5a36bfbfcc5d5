import { useState } from 'preact/hooks';
import { durations, endpoint, percentile, top, who, type Top } from './figures.ts';
import type { Loader } from './loader.ts';
import { iso, type Change, type State } from './state.ts';
import { ActivityPlot } from './plotactivity.tsx';
import { LatencyPlot } from './plotlatency.tsx';
import { duration, visible, whole } from './text.ts';
import type { Figures } from './usefigures.ts';

interface Props {
  state: State;
  change: Change;
  loader: Loader;
  figures: Figures;
}

const MOST = 5;
const SHOWN = [50, 90, 95, 99];

export function Panels({ state, change, loader, figures }: Props) {
  const { rows, total } = loader;
  const from = rows.length === total ? 'Of all rows' : `Of the ${whole(rows.length)} newest rows, of ${whole(total ?? 0)}`;
  const times = durations(rows);
  const { timeline } = figures;
  const [folded, setFolded] = useState(true);
  const zoom = (start: number, end: number) =>
    change({ range: '', start_time: iso(start), end_time: iso(end), live: '' });
  const ofUser = (one: Top) => (one.row.user_id && !state.me ? () => change({ user_id: one.row.user_id ?? '' }) : null);
  const ofEndpoint = ({ row }: Top) =>
    row.resource_type === 'endpoint' && row.workspace_id && row.app_id && row.resource_id
      ? () =>
          change({
            ...{ workspace_id: row.workspace_id ?? '', app_id: row.app_id ?? '', endpoint_id: row.resource_id ?? '' },
            ...{ augmentation_id: '', resource_id: '', me: '' },
          })
      : null;
  return (
    <div class={folded ? 'panels folded' : 'panels'}>
      <section class="panel wide" aria-labelledby="p-activity">
        <header>
          <h2 id="p-activity">Activity over time</h2>
          <div role="group" aria-label="Split by" class="switch">
            {(['outcome', 'action'] as const).map((one) => (
              <button type="button" key={one} aria-pressed={state.split === one} onClick={() => change({ split: one })}>
                {one}
              </button>
            ))}
          </div>
        </header>
        {timeline ? (
          <ActivityPlot timeline={timeline} zoom={zoom} />
        ) : (
          <Empty busy={figures.busy || loader.busy === 'first'} words={figures.problem || (loader.failure ? 'No answer.' : 'Nothing in this range.')} />
        )}
        <p class="how">{timeline ? `${timeline.how}. UTC. Drag to zoom.` : '\u00a0'}</p>
      </section>
      <section class="panel" aria-labelledby="p-latency">
        <header>
          <h2 id="p-latency">Latency percentiles</h2>
        </header>
        {times.length ? (
          <>
            <dl class="percentiles">
              {SHOWN.map((p) => (
                <div key={p}>
                  <dt>p{p}</dt>
                  <dd data-percentile={p}>{duration(percentile(times, p))}</dd>
                </div>
              ))}
            </dl>
            <LatencyPlot sorted={times} />
          </>
        ) : (
          <Empty busy={loader.busy === 'first'} words={loader.failure ? 'No answer.' : 'No rows.'} />
        )}
        <p class="how">{times.length ? `${from}.` : '\u00a0'}</p>
      </section>
      <Ranking id="users" title="Top users" found={top(rows, who, MOST)} {...{ loader, from }} pick={ofUser} />
      <Ranking id="endpoints" title="Top endpoints" found={top(rows, endpoint, MOST)} {...{ loader, from }} pick={ofEndpoint} />
      <button type="button" class="narrow" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
        {folded ? 'Latency, users, endpoints' : 'Less'}
      </button>
    </div>
  );
}

interface RankingProps {
  id: string;
  title: string;
  found: Top[];
  from: string;
  loader: Loader;
  pick: (one: Top) => (() => void) | null;
}

function Ranking({ id, title, found, from, loader, pick }: RankingProps) {
  const most = found[0]?.count ?? 1;
  return (
    <section class="panel" aria-labelledby={`p-${id}`}>
      <header>
        <h2 id={`p-${id}`}>{title}</h2>
      </header>
      {found.length ? (
        <ol class="ranking">
          {found.map((one) => {
            const choose = pick(one);
            const name = visible(one.key);
            return (
              <li key={one.key} title={name}>
                <span class="fill" style={{ width: `${(100 * one.count) / most}%` }} aria-hidden="true" />
                {choose ? (
                  <button type="button" class="link" onClick={choose}>
                    <bdi>{name}</bdi>
                  </button>
                ) : (
                  <bdi>{name}</bdi>
                )}
                {one.errors > 0 && <span class="bad">{whole(one.errors)} err</span>}
                <b>{whole(one.count)}</b>
              </li>
            );
          })}
        </ol>
      ) : (
        <Empty busy={loader.busy === 'first'} words={loader.failure ? 'No answer.' : 'No rows.'} />
      )}
      <p class="how">{found.length ? `${from}.` : '\u00a0'}</p>
    </section>
  );
}

function Empty({ busy, words }: { busy: boolean; words: string }) {
  return busy ? <div class="empty blank" aria-label="Loading" role="img" /> : <div class="empty">{words}</div>;
}
