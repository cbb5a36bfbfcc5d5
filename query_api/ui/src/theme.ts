import { useEffect, useState } from 'preact/hooks';

const KEY = 'activity.theme';
const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const nextTheme = (theme: Theme): Theme => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, set] = useState<Theme>(() => THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'system');
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(KEY, theme);
    dispatchEvent(new Event('themechange'));
  }, [theme]);
  return [theme, set];
}

/** As the browser would paint it: a canvas knows no variables. */
export function color(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Calls back when the colours are others. */
export function onTheme(call: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  addEventListener('themechange', call);
  dark.addEventListener('change', call);
  return () => {
    removeEventListener('themechange', call);
    dark.removeEventListener('change', call);
  };
}
