import { useEffect, useState } from 'preact/hooks';
import type { Loader } from './loader.ts';
import { Mark } from './signin.tsx';
import { iso, RANGES, windowOf, type Change, type State } from './state.ts';
import { nextTheme, useTheme } from './theme.ts';
import { visible } from './text.ts';

interface Props {
  state: State;
  change: Change;
  loader: Loader;
  live: boolean;
  toggleLive: () => void;
  refresh: () => void;
  help: () => void;
  signOut: () => void;
}

export function Header({ state, change, loader, live, toggleLive, refresh, help, signOut }: Props) {
  const [theme, setTheme] = useTheme();
  const custom = !state.range;
  const pick = (range: string) => {
    if (range) return change({ range, start_time: '', end_time: '' });
    const { from, to } = windowOf(state, Date.now() / 1000);
    change({ range: '', start_time: iso(from ?? to - 86_400), end_time: iso(to), live: '' });
  };
  return (
    <header class="top">
      <div class="brand">
        <Mark />
        <strong>Activity</strong>
        <span class="org" title={visible(state.org_id)}>
          <bdi>{visible(state.org_id)}</bdi>
        </span>
      </div>
      <div class="times" role="group" aria-label="Time range, UTC">
        {Object.keys(RANGES).map((one) => (
          <button type="button" key={one} aria-pressed={state.range === one} onClick={() => pick(one)}>
            {one}
          </button>
        ))}
        <button type="button" aria-pressed={state.range === 'all'} onClick={() => pick('all')}>
          All
        </button>
        <button type="button" aria-pressed={custom} onClick={() => pick('')}>
          Custom
        </button>
      </div>
      {custom && (
        <div class="dates">
          <Instant label="From" value={state.start_time} set={(start_time) => change({ start_time })} />
          <Instant label="To" value={state.end_time} set={(end_time) => change({ end_time })} />
          <span class="quiet">UTC</span>
        </div>
      )}
      <div class="actions">
        <button type="button" class="live" aria-pressed={live} onClick={toggleLive} title="Live tail (l)">
          <i aria-hidden="true" /> Live
        </button>
        <button type="button" onClick={refresh} disabled={loader.busy === 'first'} title="Refresh (r)">
          Refresh
        </button>
        <Copy text={() => location.href} label="Copy link" />
        <button type="button" onClick={() => setTheme(nextTheme(theme))} title={`Theme: ${theme}`} aria-label={`Theme: ${theme}`}>
          {{ system: '◐', light: '☀', dark: '☾' }[theme]}
        </button>
        <button type="button" onClick={help} title="Keys (?)" aria-label="Keys and help">
          ?
        </button>
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

/** In UTC, whatever the browser's own zone is. */
function Instant({ label, value, set }: { label: string; value: string; set: (iso: string) => void }) {
  return (
    <label>
      {label}
      <input
        type="datetime-local"
        step="1"
        value={value.slice(0, 19)}
        onChange={(event) => set(event.currentTarget.value && `${event.currentTarget.value.padEnd(19, ':00')}Z`)}
      />
    </label>
  );
}

export function Copy({ text, label }: { text: () => string; label: string }) {
  const [said, say] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => say(''), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () =>
    Promise.resolve(navigator.clipboard?.writeText(text()) ?? Promise.reject(new Error('no clipboard'))).then(
      () => say('Copied'),
      () => say('The browser does not let this page copy'),
    );
  return (
    <button type="button" onClick={() => void copy()}>
      <span aria-live="polite">{said || label}</span>
    </button>
  );
}
