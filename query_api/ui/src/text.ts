// How values are written. All of them came from somebody: nothing here makes markup of a text.

// Characters that are not seen, or that turn the text around them: shown as what they are.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

export function visible(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
}

const WHOLE = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const whole = (value: number): string => WHOLE.format(value);
/** For axes and tiles: 1204 is 1,204, 1204000 is 1.2M. */
export const short = (value: number): string => (Math.abs(value) < 100_000 ? whole(value) : SHORT.format(value));

export function percent(part: number, all: number): string {
  if (!all) return '0 %';
  const value = (100 * part) / all;
  return `${value > 0 && value < 0.1 ? '< 0.1' : value.toFixed(value < 10 ? 1 : 0)} %`;
}

export function duration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${SHORT.format(ms / 3_600_000)} h`;
}

const two = (value: number) => String(value).padStart(2, '0');
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Of an instant, in UTC. `seconds` since 1970. */
export function clock(seconds: number, withSeconds = true): string {
  const d = new Date(seconds * 1000);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` + (withSeconds ? `:${two(d.getUTCSeconds())}` : '');
}
export function day(seconds: number): string {
  const d = new Date(seconds * 1000);
  return `${MONTHS[d.getUTCMonth()]} ${d.getUTCDate()}`;
}

/** What every path of an org begins with says nothing, and the end is what differs. */
export const shortened = (path: string): string => path.replace(/^\/v\d+\/orgs\/[^/]+(?=\/.)/, '…');

/** Of the API's own text, so that no digit is lost: `Mar 4` and `05:06:07.890`. */
export function dayAndTime(iso: string): [string, string] {
  return [`${MONTHS[Number(iso.slice(5, 7)) - 1] ?? ''} ${Number(iso.slice(8, 10))}`, iso.slice(11, 23)];
}
