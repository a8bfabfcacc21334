import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { createApp } from '../../api/app.ts';
import { readDashboard } from '../../api/dashboard/files.ts';
import { openBrowser, systemChromium } from '../../demo/browser.ts';
import { CITY_SCHEMA, COUNTRY_SCHEMA } from '../../demo/data.ts';
import { dashboardOfCheckout } from '../../embedded/dashboard.ts';
import { Drover } from '../harness/drover.ts';
import { bearer, signed, TOKEN_ENVIRONMENT } from '../harness/tokens.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = 30_000;

/** The Chromium of this machine; null where none can be had: what needs it is skipped, with one line. */
export function chromiumOrSkip(): string | null {
  const executable = systemChromium();
  if (executable === null && process.env.CI === 'true') throw new Error('CI has no Chromium: .ci/run installs it');
  if (executable === null) console.log('the dashboard is not walked: there is no Chromium on this machine');
  return executable;
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { html: string }[];
}

type OpenOptions = BrowserContextOptions & { as?: string | null };

/** The dashboard of a service with tokens and the definitions of the demo, in a browser. */
export class InBrowser {
  /** Whatever a page has complained about: a script error, or something that its policy does not allow. */
  readonly complaints: string[] = [];
  readonly drover: Drover;
  readonly server: Server;
  /** Of platform scope. */
  readonly token: string;
  readonly #browser: Browser;

  private constructor(parts: { drover: Drover; server: Server; token: string; browser: Browser }) {
    this.drover = parts.drover;
    this.server = parts.server;
    this.token = parts.token;
    this.#browser = parts.browser;
  }

  static async start(executable: string, environment: Record<string, string> = {}): Promise<InBrowser> {
    const drover = await Drover.start({
      environment: { ...TOKEN_ENVIRONMENT, TEMPORAL_UI_URL: 'http://127.0.0.1:1', ...environment },
    });
    const folder = await dashboardOfCheckout(() => undefined);
    if (folder === null) throw new Error('the dashboard cannot be built');
    const app = createApp(drover.services, await readDashboard(folder));
    const server = createAdaptorServer({ fetch: app.fetch }) as Server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const token = await signed({ scope: 'platform', platform: 'acme' });
    const started = new InBrowser({ drover, server, token, browser: await openBrowser(executable) });
    for (const each of [COUNTRY_SCHEMA, CITY_SCHEMA]) await started.caller().schemaDefinitions.create(each);
    return started;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    this.server.closeAllConnections();
    this.server.close();
    await this.drover.stop();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** A client of the platform. */
  caller(tenant?: string) {
    return this.drover.client({ headers: bearer(this.token), ...(tenant !== undefined && { tenant }) });
  }

  /** A page at a place, for the one who is signed in. Its context ends with it. */
  async walk(
    at: string,
    visit: (page: Page, context: BrowserContext) => Promise<void>,
    options: OpenOptions = {},
  ): Promise<void> {
    const page = await this.#open(at, options);
    try {
      await visit(page, page.context());
    } finally {
      await page.context().close();
    }
  }

  async #open(at: string, { as = this.token, ...options }: OpenOptions): Promise<Page> {
    const context = await this.#browser.newContext({ reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(WAIT_MS);
    if (as !== null) await context.addInitScript(`sessionStorage.setItem('drover.token', ${JSON.stringify(as)})`);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy|Minified React error/.test(message.text())) this.complaints.push(message.text());
    });
    await page.goto(`${this.url}#${at}`);
    return page;
  }
}

/** Faults of accessibility that hinder someone. */
export async function seriousFaults(page: Page): Promise<unknown[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => [id, nodes.map(({ html }) => html).slice(0, 3)]);
}

/** It has to be scrolled sideways. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
