import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where the packages of distributions put it. */
const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium'];

/** The Chromium of this machine; null if it has none. None is downloaded. */
export const systemChromium = (): string | null => USUAL.find((path) => existsSync(path)) ?? null;

/** Starts it without a window. @throws if it does not start. */
export const openBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    // its sandbox refuses to work for root, whom containers and CI run as; it only opens the pages of this service
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
