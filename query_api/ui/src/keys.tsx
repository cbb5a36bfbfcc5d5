import { useEffect, useRef } from 'preact/hooks';

export type Keys = Record<string, () => unknown>;

/** Not while somebody types, and not with Ctrl and the like: those are the browser's. */
export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const typing = (event.target as Element).closest('input, select, textarea');
      if (typing && event.key === 'Escape') return (typing as HTMLElement).blur();
      if (typing) return;
      const does = latest.current[event.key];
      if (!does) return;
      event.preventDefault();
      does();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

const LINES = [
  ['j k', 'next and previous row; also the arrows'],
  ['Enter', 'details of the row'],
  ['Esc', 'close the details; leave a field'],
  ['/', 'to the filters'],
  ['e', 'errors only, and back'],
  ['l', 'live tail on and off'],
  ['r', 'refresh'],
  ['n', 'load older rows'],
];

export function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help">
      <h2 id="help">Keys</h2>
      <dl>
        {LINES.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key?.split(' ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">Drag over the plot of activity to choose that time. The address holds all that you see, without the token.</p>
      <form method="dialog">
        <a href="docs">API documentation</a>
        <button class="primary" autofocus>Close</button>
      </form>
    </dialog>
  );
}
