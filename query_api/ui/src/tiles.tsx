import { average, durations, percentile, tokens } from './figures.ts';
import type { Loader } from './loader.ts';
import type { State } from './state.ts';
import { duration, percent, short, whole } from './text.ts';
import type { Figures } from './usefigures.ts';

export function Tiles({ loader, figures }: { state: State; loader: Loader; figures: Figures }) {
  const { rows, total } = loader;
  const { summary } = figures;
  const times = durations(rows);
  const isWhole = total !== null && rows.length >= total;
  const ofRows = isWhole ? 'of all rows' : `of ${whole(rows.length)} loaded rows`;
  const failed = rows.filter((row) => !row.success).length;
  const errors = summary?.failed_requests ?? figures.errors ?? (isWhole || rows.length ? failed : null);
  const areExact = summary !== null || figures.errors !== null || isWhole;
  const requests = total ?? summary?.total_requests ?? null;
  const base = areExact ? (summary?.total_requests ?? requests ?? 0) : rows.length;
  // Skeletons while it loads; where there is no answer, nothing is made up.
  const wait = total === null;
  const blank = loader.busy ? '' : '–';
  const spent = summary?.total_tokens_used ?? rows.reduce((sum, row) => sum + tokens(row), 0);
  return (
    <dl class={loader.busy === 'first' ? 'tiles busy' : 'tiles'} aria-label="Summary">
      <Tile name="Requests" value={wait ? blank : short(requests ?? 0)} more={wait ? '' : 'in this range'} />
      <Tile
        name="Errors"
        value={wait || errors === null ? blank : short(errors)}
        more={wait ? '' : `${percent(errors ?? 0, base)} ${areExact ? 'of requests' : ofRows}`}
        bad={!wait && (errors ?? 0) > 0}
      />
      <Tile
        name="Average"
        value={wait ? blank : rows.length ? duration(summary?.avg_duration_ms ?? average(times)) : '–'}
        more={wait ? '' : summary ? 'in this range' : ofRows}
      />
      <Tile name="p95" value={wait ? blank : rows.length ? duration(percentile(times, 95)) : '–'} more={wait ? '' : ofRows} />
      <Tile name="Tokens" value={wait ? blank : short(spent)} more={wait ? '' : summary ? 'in this range' : ofRows} />
      <Tile
        name="Complete through"
        value={wait ? blank : (loader.through?.slice(11, 19) ?? 'not known')}
        more={wait ? '' : loader.through ? `${loader.through.slice(0, 10)} UTC` : 'no consumer tells it'}
        small={!loader.through}
      />
    </dl>
  );
}

function Tile({ name, value, more, bad = false, small = false }: { name: string; value: string; more: string; bad?: boolean; small?: boolean }) {
  return (
    <div class={bad ? 'tile bad' : 'tile'} data-tile={name}>
      <dt>{name}</dt>
      <dd class={small ? 'value small' : 'value'}>{value || <span class="blank" />}</dd>
      <dd class="more">{more || '\u00a0'}</dd>
    </div>
  );
}
