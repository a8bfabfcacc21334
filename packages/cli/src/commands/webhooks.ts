import type { Delivery, NewWebhook, Webhook } from '@drover/client';
import { type Command, Option } from 'commander';
import type { ProgramParts } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { firstOf, type Limited, limitOption } from '../options/limit.ts';
import { confirm } from '../terminal/confirm.ts';
import type { Column } from '../terminal/table.ts';
import { addCommand } from './add-command.ts';

const EVENTS: NewWebhook['events'] = [
  'batch.completed',
  'batch.waiting',
  'batch.cancelled',
  'import.completed',
  'import.cancelled',
];

interface CreateFlags {
  readonly event?: NewWebhook['events'];
  readonly description?: string;
}

interface ChangeFlags extends CreateFlags {
  readonly to?: string;
  readonly disable?: true;
  readonly enable?: true;
}

const COLUMNS: readonly Column<Webhook>[] = [
  { name: 'WEBHOOK', of: ({ webhookId }) => webhookId, isKept: true },
  { name: 'STATUS', of: ({ status }) => status },
  { name: 'URL', of: ({ url }) => url },
  { name: 'EVENTS', of: ({ events }) => events.join(' ') },
];

const DELIVERY_COLUMNS: readonly Column<Delivery>[] = [
  { name: 'DELIVERY', of: ({ deliveryId }) => deliveryId, isKept: true },
  { name: 'STATUS', of: ({ status }) => status },
  { name: 'ATTEMPTS', of: ({ attempts }) => attempts },
  { name: 'ANSWER', of: ({ lastAnswer }) => lastAnswer?.status },
  { name: 'CREATED', of: ({ createdAt }) => createdAt },
];

/** `drover webhook …` */
export function addWebhookCommands(program: Command, parts: ProgramParts): void {
  const webhook = program.command('webhook').description('Webhooks: be told of the end of batches and imports.');
  addCommand<CreateFlags>(webhook, parts, {
    usage: 'create <url>',
    summary: 'Have a URL called at events, and print the secret that signs the calls',
    more: 'The secret is shown this once. It is the business of the receiver to check signatures (Standard Webhooks).',
    examples: [
      'drover webhook create https://example.org/drover',
      'drover webhook create https://example.org/drover --event batch.completed import.completed --json | jq -r .secret',
    ],
    options: (command) =>
      command
        .addOption(new Option('--event <event...>', 'what to be told of (everything)').choices(EVENTS))
        .option('--description <text>', 'what it is for'),
    run: async ({ client, output, signal }, [url = ''], { event, description }) => {
      const asked = { url, events: event ?? EVENTS, ...(description && { description }) };
      const made = await client.webhooks.create(asked, { signal });
      await output.one(made, [
        ['webhook', made.webhookId],
        ['secret', made.secret],
      ]);
      return EXIT.done;
    },
  });
  addCommand<Limited>(webhook, parts, {
    usage: 'list',
    summary: 'List webhooks',
    examples: ['drover webhook list'],
    options: limitOption,
    run: async ({ client, output, signal }, _, { limit }) => {
      await output.list(firstOf(client.webhooks.list({ signal }), limit), COLUMNS, 'there is no webhook');
      return EXIT.done;
    },
  });
  addCommand<ChangeFlags>(webhook, parts, {
    usage: 'update <webhook>',
    summary: 'Change what is said: URL, events, description, and whether it is called',
    examples: ['drover webhook update 0198… --event batch.completed', 'drover webhook update 0198… --enable'],
    options: (command) =>
      command
        .option('--to <url>', 'the URL that is called')
        .addOption(new Option('--event <event...>', 'what to be told of').choices(EVENTS))
        .option('--description <text>', 'what it is for')
        .addOption(new Option('--disable', 'call it no more').conflicts('enable'))
        .option('--enable', 'call it again, after it was disabled'),
    run: async ({ client, output, signal }, [webhookId = ''], { to: url, event, description, disable, enable }) => {
      const changes = {
        ...(url !== undefined && { url }),
        ...(event && { events: event }),
        ...(description !== undefined && { description }),
        ...((disable || enable) && { disabled: disable === true }),
      };
      if (Object.keys(changes).length === 0) throw new UsageError('say what to change');
      await output.list([await client.webhooks.change(webhookId, changes, { signal })], COLUMNS, '');
      return EXIT.done;
    },
  });
  addCommand(webhook, parts, {
    usage: 'test <webhook>',
    summary: 'Send a test event',
    examples: ['drover webhook test 0198… && drover webhook deliveries 0198… --limit 1'],
    run: async ({ client, output, signal }, [webhookId = '']) => {
      await output.list([await client.webhooks.test(webhookId, { signal })], DELIVERY_COLUMNS, '');
      return EXIT.done;
    },
  });
  addCommand<Limited>(webhook, parts, {
    usage: 'deliveries <webhook>',
    summary: 'List what was sent to a webhook, and what it answered',
    examples: ['drover webhook deliveries 0198…'],
    options: limitOption,
    run: async ({ client, output, signal }, [webhookId = ''], { limit }) => {
      const deliveries = client.webhooks.deliveries(webhookId, { signal });
      await output.list(firstOf(deliveries, limit), DELIVERY_COLUMNS, 'nothing was sent');
      return EXIT.done;
    },
  });
  addCommand(webhook, parts, {
    usage: 'redeliver <webhook> <delivery>',
    summary: 'Send a delivery again',
    examples: ['drover webhook redeliver 0198… msg_…'],
    run: async ({ client, output, signal }, [webhookId = '', deliveryId = '']) => {
      await output.list([await client.webhooks.redeliver(webhookId, deliveryId, { signal })], DELIVERY_COLUMNS, '');
      return EXIT.done;
    },
  });
  addCommand(webhook, parts, {
    usage: 'rotate-secret <webhook>',
    summary: 'Make a new secret; the one before signs beside it for 24 hours',
    examples: ['drover webhook rotate-secret 0198… --json | jq -r .secret'],
    run: async ({ client, output, signal }, [webhookId = '']) => {
      const made = await client.webhooks.rotateSecret(webhookId, { signal });
      await output.one(made, [['secret', made.secret]]);
      return EXIT.done;
    },
  });
  addCommand(webhook, parts, {
    usage: 'delete <webhook>',
    summary: 'Remove a webhook with its secret and deliveries',
    examples: ['drover webhook delete 0198… --yes'],
    run: async ({ client, output, options, signal }, [webhookId = '']) => {
      const { url } = await client.webhooks.get(webhookId, { signal });
      await confirm(output, `Remove the webhook of ${url}?`, options.yes === true);
      await client.webhooks.delete(webhookId, { signal });
      await output.one({ webhookId, deleted: true }, [['removed', webhookId]]);
      return EXIT.done;
    },
  });
}
