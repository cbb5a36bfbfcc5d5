import { useState } from 'preact/hooks';
import type { State } from './state.ts';
import { claims, tidied } from './token.ts';

interface Props {
  state: State;
  refused: string;
  enter: (token: string, where: Partial<State>) => void;
}

export function SignIn({ state, refused, enter }: Props) {
  const [token, setToken] = useState('');
  const [org, setOrg] = useState(state.org_id);
  const [workspace, setWorkspace] = useState(state.workspace_id);
  const [problem, setProblem] = useState(refused);

  const submit = (event: Event) => {
    event.preventDefault();
    const given = tidied(token);
    const said = claims(given);
    const org_id = org.trim() || said.org_id || '';
    if (!/^[\x21-\x7e]+$/.test(given)) return setProblem('A token is one word of letters, digits and signs, without blanks.');
    if (!org_id) return setProblem('Which organisation? This token does not say it.');
    // A token for one workspace sees only that.
    const only = said.workspaces?.length === 1 ? said.workspaces[0] : undefined;
    enter(given, { org_id, workspace_id: workspace.trim() || only || '' });
  };

  return (
    <main class="signin">
      <form onSubmit={submit} autocomplete="off">
        <h1>
          <Mark /> Activity
        </h1>
        <p class="lead">Who did what, when, how fast.</p>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <label>
          Token
          <input
            type="password"
            name="token"
            required
            autofocus
            spellcheck={false}
            autocomplete="off"
            value={token}
            onInput={(event) => {
              const text = event.currentTarget.value;
              setToken(text);
              const said = claims(tidied(text)).org_id;
              if (said && !org) setOrg(said);
            }}
          />
          <small>A JWT or an API key with activity:read. It stays in this tab.</small>
        </label>
        <label>
          Organisation
          <input name="org" value={org} spellcheck={false} onInput={(event) => setOrg(event.currentTarget.value)} />
        </label>
        <label>
          <span>
            Workspace <i>optional</i>
          </span>
          <input name="workspace" value={workspace} spellcheck={false} onInput={(event) => setWorkspace(event.currentTarget.value)} />
          <small>With one, there are more filters.</small>
        </label>
        <button class="primary" type="submit">
          Sign in
        </button>
        <p class="foot">
          <a href="docs">API documentation</a>
          <a href="ui/licenses.txt">Licences</a>
        </p>
      </form>
    </main>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d="M1 9h3v6H1zM6 4h3v11H6zM11 1h3v14h-3z" fill="currentColor" />
    </svg>
  );
}
