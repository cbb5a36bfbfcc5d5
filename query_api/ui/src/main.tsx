import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Board } from './board.tsx';
import { SignIn } from './signin.tsx';
import { format, parse, possible, type Change } from './state.ts';
import { currentToken, keepToken } from './token.ts';
import './style.css';

function App() {
  const [token, setToken] = useState(currentToken);
  const [refused, setRefused] = useState('');
  const [state, setState] = useState(() => parse(location.hash));

  useEffect(() => {
    const read = () => setState(parse(location.hash));
    addEventListener('popstate', read);
    return () => removeEventListener('popstate', read);
  }, []);

  const change: Change = (changed) => {
    setState((before) => {
      const after = possible({ ...before, ...changed });
      const same = Object.keys(changed).every((name) => name === 'event');
      // Each view is a step back in the browser's history; which row is open is none.
      if (format(after) !== format(before)) history[same ? 'replaceState' : 'pushState'](null, '', format(after));
      return after;
    });
  };
  const signOut = (why = '') => {
    keepToken('');
    setRefused(why);
    setToken('');
  };
  if (!token || !state.org_id)
    return (
      <SignIn
        state={state}
        refused={refused}
        enter={(given, where) => {
          keepToken(given);
          setRefused('');
          change(where);
          setToken(given);
        }}
      />
    );
  return <Board token={token} state={state} change={change} signOut={signOut} />;
}

const root = document.getElementById('app');
if (root) render(<App />, root);
