// The token is kept for this tab alone, until it is closed, and stands in no address.
const KEY = 'activity.token';

export const currentToken = (): string => sessionStorage.getItem(KEY) ?? '';

export function keepToken(token: string): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

export const tidied = (text: string): string => text.trim().replace(/^bearer\s+/i, '');

/** What a JWT says of itself, unverified, to fill in a form; an API key says nothing. */
export function claims(token: string): { org_id?: string; workspaces?: string[] } {
  try {
    const body = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(body), (one) => one.charCodeAt(0));
    const said = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    return {
      ...(typeof said.org_id === 'string' && { org_id: said.org_id }),
      ...(Array.isArray(said.workspaces) && { workspaces: said.workspaces.filter((one) => typeof one === 'string') }),
    };
  } catch {
    return {};
  }
}
