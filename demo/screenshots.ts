import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createDrover } from '@drover/client';
import { pino } from 'pino';
import type { Browser, Page } from 'playwright-core';
import { startApi } from '../api/server.ts';
import { dashboardOfCheckout } from '../embedded/dashboard.ts';
import { configuredFor, startServers } from '../embedded/servers.ts';
import { loadConfig } from '../process/config.ts';
import { startWorker } from '../worker/worker.ts';
import { openBrowser, systemChromium } from './browser.ts';
import { type Shown, showcase } from './showcase.ts';

/** `npm run screenshots`: each page of the dashboard with the demo's data, light and dark, wide and narrow, in docs/dashboard. */

const FOLDER = join(import.meta.dirname, '../docs/dashboard');
const SIZES = { wide: { width: 1400, height: 900 }, narrow: { width: 360, height: 740 } };
const QUALITY = 72;
/** Only these pages, as in `npm run screenshots -- batch health`; without any all of them. */
const wanted = process.argv.slice(2);

interface Pictured {
  /** The address behind `#`. */
  readonly at: string;
  /** What shows that the page is complete. */
  readonly shows: string;
  /** What a user does on it first. */
  readonly first?: (page: Page) => Promise<unknown>;
}

const pagesOf = ({ waiting, faulty, imported, bulk, webhook }: Shown): Record<string, Pictured> => ({
  batches: { at: '/batches', shows: '.batch-table' },
  waiting: { at: `/batches/${waiting}`, shows: '.waits-side li' },
  faults: { at: `/batches/${faulty}?items=failed`, shows: '.fault' },
  imports: { at: '/imports', shows: '.batch-table' },
  import: { at: `/imports/${imported}`, shows: '.batch-table' },
  upload: { at: '/upload', shows: '.check', first: chooseCsv },
  filter: {
    at: '/batches?status=success,cancelled',
    shows: '.dialog .figure',
    first: (page) => page.getByRole('button', { name: 'Act on all that fit' }).click(),
  },
  'bulk-operation': { at: `/bulk/${bulk}`, shows: '.counts' },
  paste: { at: '/upload/paste', shows: 'textarea' },
  data: { at: '/data', shows: '.node' },
  schema: { at: '/data/country', shows: '.cell-data' },
  resource: { at: '/data/country/CH', shows: '.columns .card:nth-child(2) a' },
  webhooks: { at: '/webhooks', shows: '.table' },
  webhook: { at: `/webhooks/${webhook}`, shows: '.delivery' },
  health: { at: '/health', shows: '.workers' },
});

const CSV = `id;City name;country;population;Remarks
2988507;Paris;FR;2138551;capital
2643743;London;GB;8961989;capital
`;

/** A file whose columns have other names than the fields. */
async function chooseCsv(page: Page): Promise<void> {
  const buffer = Buffer.from(CSV);
  await page.getByLabel('Choose a file').setInputFiles({ name: 'cities.csv', mimeType: 'text/csv', buffer });
  await page.getByLabel('Schema').selectOption('city');
  await page.getByLabel('Field of the column City name').selectOption('name');
  await page.getByLabel('Field of the column Remarks').selectOption('(leave it out)');
  await page.getByText('What would become of').waitFor();
}

async function take(browser: Browser, url: string, shown: Shown): Promise<void> {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
      const page = await context.newPage();
      const folder = join(FOLDER, `${colorScheme}-${size}`);
      mkdirSync(folder, { recursive: true });
      for (const [name, pictured] of Object.entries(pagesOf(shown))) {
        if (wanted.length === 0 || wanted.includes(name)) await picture(page, url, pictured, `${folder}/${name}.jpg`);
      }
      await context.close();
    }
  }
}

async function picture(page: Page, url: string, { at, shows, first }: Pictured, path: string): Promise<void> {
  await page.goto(`${url}/#${at}`);
  // a page that was there before at the same address begins anew
  await page.reload();
  await first?.(page);
  await page.locator(shows).first().waitFor();
  await page.screenshot({ path, type: 'jpeg', quality: QUALITY });
}

const executable = systemChromium();
if (executable === null) {
  process.stderr.write('there is no Chromium on this machine: install the package "chromium" of its distribution\n');
  process.exit(1);
}
const config = loadConfig({ ...process.env, PORT: '0' });
const logger = pino({ level: 'error' }, pino.destination(2));
const say = (line: string): void => console.log(line);
const servers = await startServers({ config, dataDir: null, ui: true, say });
const connected = configuredFor(config, servers);
const worker = await startWorker(connected, logger);
const api = await startApi(connected, logger, await dashboardOfCheckout(say));
const browser = await openBrowser(executable);
try {
  const shown = await showcase(createDrover({ url: api.url }));
  await take(browser, api.url, shown);
} finally {
  await browser.close();
  await api.stop();
  await worker.stop();
  await servers.stop();
}
