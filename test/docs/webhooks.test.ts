import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../embedded/ports.ts';
import { send } from '../../services/webhooks/send.ts';
import { node, Program } from '../../testkit/program.ts';
import { read } from '../harness/repository.ts';

/** The receivers of docs/webhooks.md, as they stand there. */
const page = read('docs/webhooks.md');
const exampleIn = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? expect.fail(`no example in ${language}`);
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

let folder: string;
beforeAll(async () => {
  // below the repository, where its packages are found
  folder = await mkdtemp(join(import.meta.dirname, 'webhooks-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  ['ts', 'receiver.ts', (file: string) => node(file)],
  ['python', 'receiver.py', (file: string): [string, string] => ['python3', file]],
] as const)(
  'the receiver in %s takes what is signed, and nothing else',
  async (language, name, command) => {
    const file = join(folder, name);
    await writeFile(file, exampleIn(language));
    const port = await freePort();
    const receiver = Program.spawn({
      name,
      command: command(file),
      environment: { WEBHOOK_SECRET: SECRET, PORT: String(port) },
      ready: /never/,
    });
    try {
      const body = JSON.stringify({ type: 'batch.completed', timestamp: new Date().toISOString(), data: {} });
      const deliver = (secret: string, sentAt: Date, sent = body) => {
        const headers = {
          'content-type': 'application/json',
          'webhook-id': 'message',
          'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
          'webhook-signature': `v1,AAAA ${new Webhook(secret).sign('message', sentAt, body)}`,
        };
        return send({ url: `http://127.0.0.1:${port}/`, headers, body: sent, reach: 'loopback' });
      };
      await expect.poll(() => deliver(SECRET, new Date()), { timeout: 20_000 }).toMatchObject({ status: 204 });
      const other = `whsec_${randomBytes(32).toString('base64')}`;
      expect(await deliver(other, new Date())).toMatchObject({ status: 401 });
      expect(await deliver(SECRET, new Date(), body.replace('completed', 'cancelled'))).toMatchObject({ status: 401 });
      expect(await deliver(SECRET, new Date(Date.now() - 3_600_000))).toMatchObject({ status: 401 });
    } finally {
      await receiver.kill();
    }
  },
  40_000,
);
