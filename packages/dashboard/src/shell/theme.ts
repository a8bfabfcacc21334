import { useSyncExternalStore } from 'react';

/** `system` follows the setting of the device. */
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'drover.theme';
const listeners = new Set<() => void>();

const stored = (): Theme => THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'system';
let current = stored();

/** Shows the theme that was chosen before. */
export const applyTheme = (): void => {
  document.documentElement.dataset.theme = current;
};

export function chooseTheme(theme: Theme): void {
  current = theme;
  localStorage.setItem(KEY, theme);
  applyTheme();
  for (const listener of listeners) listener();
}

function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useTheme = (): Theme => useSyncExternalStore(onTheme, () => current);
