import { useEffect, useRef } from 'preact/hooks';
import type { Activity } from './api.ts';
import { Copy } from './header.tsx';
import { format, iso, type Change, type State } from './state.ts';
import { duration, visible, whole } from './text.ts';

interface Props {
  row: Activity;
  state: State;
  change: Change;
  close: () => void;
}
type Line = [name: string, value: string | null, choose?: Partial<State> | undefined];

const NO_THING: Partial<State> = { app_id: '', endpoint_id: '', augmentation_id: '', resource_id: '', me: '' };

export function Details({ row, state, change, close }: Props) {
  const panel = useRef<HTMLElement>(null);
  // Where it covers the list, the keys must be in it.
  useEffect(() => {
    if (panel.current && getComputedStyle(panel.current).position === 'fixed') panel.current.focus();
  }, [row.id]);
  const inWorkspace = { ...NO_THING, workspace_id: row.workspace_id ?? '' };
  const place = row.workspace_id ? inWorkspace : null;
  const searchable = state.workspace_id !== '' ? {} : place;
  const groups: [string, Line[]][] = [
    [
      'What',
      [
        ['action', row.action, searchable ? { ...searchable, action: row.action } : undefined],
        ['request', `${row.method} ${row.path}`],
        ['resource type', row.resource_type, searchable && row.resource_type ? { ...searchable, resource_type: row.resource_type } : undefined],
        ['resource', row.resource_id, place && row.resource_id ? { ...place, resource_id: row.resource_id } : undefined],
        ['error', row.error_code],
      ],
    ],
    [
      'Who',
      [
        ['user', row.user_id, row.user_id ? { ...NO_THING, user_id: row.user_id } : undefined],
        ['principal', [row.principal_type, row.principal_id].filter(Boolean).join(' ')],
        ['token', [row.token_type, row.token_id].filter(Boolean).join(' ')],
      ],
    ],
    [
      'Where',
      [
        ['workspace', row.workspace_id, place ?? undefined],
        ['app', row.app_id, place && row.app_id ? { ...place, app_id: row.app_id } : undefined],
        ['augmentation', row.augmentation_id, place && row.augmentation_id ? { ...place, augmentation_id: row.augmentation_id } : undefined],
      ],
    ],
    [
      'Run',
      [
        ['duration', duration(row.duration_ms)],
        ['execution', row.execution_id],
        ['stages', row.total_stages === null ? null : `${row.stages_completed ?? 0} of ${row.total_stages}`],
        ...Object.entries(row.token_usage).map(([name, count]): Line => [`tokens: ${name}`, typeof count === 'number' ? whole(count) : String(count)]),
      ],
    ],
    [
      'Ids',
      [
        ['event', row.id],
        ['trace', row.trace_id],
      ],
    ],
  ];
  const metadata = JSON.stringify(row.metadata, null, 2);
  return (
    <aside class="details" aria-label="Details of the event" tabIndex={-1} ref={panel}>
      <header>
        <span class={`code ${row.success ? 'ok' : row.status_code >= 500 ? 'bad' : 'warn'}`}>{row.status_code}</span>
        <time dateTime={row.timestamp}>{row.timestamp.replace('T', ' ').replace('Z', '')} UTC</time>
        <button type="button" onClick={close} aria-label="Close the details">
          ×
        </button>
      </header>
      {groups.map(([title, lines]) => (
        <Group key={title} title={title} lines={lines.filter(([, value]) => value)} change={change} />
      ))}
      <h3>Metadata</h3>
      {metadata === '{}' ? <p class="quiet">none</p> : <pre tabIndex={0}>{visible(metadata)}</pre>}
      <footer>
        <Copy text={() => JSON.stringify(row, null, 2)} label="Copy JSON" />
        <Copy text={() => linkTo(row, state)} label="Copy link to this event" />
      </footer>
    </aside>
  );
}

function Group({ title, lines, change }: { title: string; lines: Line[]; change: Change }) {
  if (!lines.length) return null;
  return (
    <>
      <h3>{title}</h3>
      <dl>
        {lines.map(([name, value, choose]) => (
          <div key={name}>
            <dt>
              <bdi>{visible(name)}</bdi>
            </dt>
            <dd>
              {choose ? (
                <button type="button" class="link" title="Show only these" onClick={() => change(choose)}>
                  <bdi>{visible(value ?? '')}</bdi>
                </button>
              ) : (
                <bdi>{visible(value ?? '')}</bdi>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** The millisecond in which it happened, so that it is on the first page. */
function linkTo(row: Activity, state: State): string {
  const ms = Math.floor(Date.parse(row.timestamp));
  const only = { ...state, range: '', start_time: iso(ms / 1000), end_time: iso((ms + 1) / 1000), live: '', event: row.id };
  return `${location.origin}${location.pathname}${format(only)}`;
}
