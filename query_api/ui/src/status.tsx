import { useEffect, useReducer } from 'preact/hooks';
import type { Failure } from './loader.ts';

/** What is wrong, in one sentence, and when it is tried again. */
export function Failed({ failure, retry }: { failure: Failure | null; retry: () => void }) {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const again = failure?.again ?? 0;
  useEffect(() => {
    if (!again) return;
    const timer = setInterval(() => draw(0), 500);
    return () => clearInterval(timer);
  }, [again]);
  if (!failure) return null;
  const seconds = Math.max(0, Math.ceil((again - Date.now()) / 1000));
  return (
    <div class="problem bar">
      <span role="alert">{failure.message}</span>
      {again > 0 && <span class="quiet">{seconds ? `Trying again in ${seconds} s.` : 'Trying again …'}</span>}
      <button type="button" onClick={retry}>
        Try now
      </button>
    </div>
  );
}
