import { randomBytes } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { EncryptionCodec } from '../../../process/payload-codec.ts';
import { batchWorkflowId } from '../../../workflows/messages.ts';
import { Drover } from '../../harness/drover.ts';

const key = (): string => randomBytes(32).toString('base64');
const running: Drover[] = [];
afterEach(async () => {
  for (const drover of running.splice(0)) await drover.stop();
});

async function start(
  keys: string,
  more: Record<string, string> = {},
  worker: false | undefined = undefined,
): Promise<Drover> {
  const drover = await Drover.start({
    environment: { DROVER_PAYLOAD_KEY: keys, ...more },
    ...(worker === false && { worker }),
  });
  running.push(drover);
  return drover;
}

/** Encodings of all payloads in a history, and all its text. */
async function payloadsOf(drover: Drover, batchId: string): Promise<{ encodings: Set<string>; text: string }> {
  const encodings = new Set<string>();
  let text = '';
  const visit = (value: unknown): void => {
    if (value instanceof Uint8Array) {
      text += `${Buffer.from(value).toString('latin1')}\n`;
      return;
    }
    if (typeof value === 'string') text += `${value}\n`;
    if (typeof value !== 'object' || value === null) return;
    const { metadata, data } = value as {
      metadata?: { encoding?: Uint8Array; type?: Uint8Array };
      data?: Uint8Array;
    };
    // search attributes carry their type, because the server has to read them; the SDK notes what ran inside a workflow task
    const isReadable = metadata?.type !== undefined || isNoteOfSdk(data);
    if (metadata?.encoding && !isReadable) encodings.add(Buffer.from(metadata.encoding).toString());
    Object.values(value).forEach(visit);
  };
  const handle = drover.services.client.workflow.getHandle(batchWorkflowId(batchId));
  visit(await handle.fetchHistory());
  visit((await handle.describe()).raw);
  return { encodings, text };
}

const LOCAL_ACTIVITY = [
  'seq',
  'attempt',
  'activity_id',
  'activity_type',
  'complete_time',
  'backoff',
  'original_schedule_time',
];
const MARKER = ['id', 'deprecated'];

/** Contains only name, times and attempt of a local activity, or the name of a version of the workflow. */
function isNoteOfSdk(data: Uint8Array | undefined): boolean {
  const text = data instanceof Uint8Array ? Buffer.from(data).toString() : '';
  const known = text.startsWith('{"seq"') ? LOCAL_ACTIVITY : text.startsWith('{"id"') ? MARKER : [];
  return known.length > 0 && Object.keys(JSON.parse(text)).every((field) => known.includes(field));
}

test('with a key nothing that passes through Temporal can be read there, and everything works as without a key', async () => {
  const drover = await start(key());
  await drover.define('peculiar', { other: { $ref: 'reach:schemas/peculiar' } });
  const waiting = await drover.upload('peculiar', [{ externalId: 'planted-a', other: 'planted-b' }], {
    dependencyWaitTimeout: 60,
  });
  await drover.waiting(waiting);
  const live = await drover.batch(waiting);
  expect(live.source).toBe('workflow');
  await drover.upload('peculiar', [{ externalId: 'planted-b' }]);
  expect((await drover.ended(waiting)).status).toBe('success');
  const { encodings, text } = await payloadsOf(drover, waiting);
  expect([...encodings]).toEqual(['binary/encrypted']);
  expect(text).not.toContain('planted');
  // a name stays readable if the server has to find batches by it
  expect(text.match(/.*peculiar.*/g)?.every((line) => line === '"peculiar"')).toBe(true);
});

test('a batch that was started under an old key continues under a new one', async () => {
  const [old, fresh] = [key(), key()];
  const before = await start(old, {}, false);
  await before.define('thing', {});
  const id = await before.upload('thing', [{ externalId: 'a' }]);
  const shared = {
    MONGODB_DATABASE: before.config.MONGODB_DATABASE,
    TEMPORAL_TASK_QUEUE: before.config.TEMPORAL_TASK_QUEUE,
  };
  const after = await start(`${fresh},${old}`, shared);
  expect((await after.ended(id)).status).toBe('success');
  const second = await after.upload('thing', [{ externalId: 'b' }]);
  expect((await after.ended(second)).status).toBe('success');
});

/** The failed workflow tasks of a batch, by their messages. */
async function failedTasks(drover: Drover, batchId: string): Promise<(string | null | undefined)[]> {
  const { events } = await drover.services.client.workflow.getHandle(batchWorkflowId(batchId)).fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed ? [failed.failure?.message] : [],
  );
}

test('a worker without the key names the key that it needs, and the batch continues when the worker has it', async () => {
  const [old, fresh] = [key(), key()];
  const api = await start(old, {}, false);
  await api.define('thing', {});
  const id = await api.upload('thing', [{ externalId: 'a' }]);
  const shared = {
    MONGODB_DATABASE: api.config.MONGODB_DATABASE,
    TEMPORAL_TASK_QUEUE: api.config.TEMPORAL_TASK_QUEUE,
  };
  const without = await start(fresh, shared);
  await vi.waitFor(async () => expect((await failedTasks(api, id))[0]).toContain('not in DROVER_PAYLOAD_KEY'), 20_000);
  await without.stopWorker();
  await start(`${fresh},${old}`, shared);
  expect((await api.ended(id)).status).toBe('success');
});

test('signals that claim to be encrypted and cannot be decrypted do no harm', async () => {
  const ours = Buffer.from(key(), 'base64');
  const drover = await start(ours.toString('base64'));
  await drover.define('thing', { other: { $ref: 'reach:schemas/thing' } });
  const id = await drover.upload('thing', [{ externalId: 'a', other: 'b' }], { dependencyWaitTimeout: 60 });
  await drover.waiting(id);
  const said = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('[]') };
  const [byUs] = await new EncryptionCodec([ours]).encode([said]);
  const [byOthers] = await new EncryptionCodec([randomBytes(32)]).encode([said]);
  const [nonsense] = await new EncryptionCodec([ours]).encode([{ ...said, data: Buffer.from('{') }]);
  const forged = [
    byOthers,
    nonsense,
    { ...byUs, data: Buffer.from(byUs?.data ?? []).fill(7, 12, 20) },
    { ...byUs, data: Buffer.alloc(3) },
    { ...byUs, data: randomBytes(200) },
    { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('x') },
  ];
  for (const [at, payload] of forged.entries()) {
    await drover.services.client.workflowService.signalWorkflowExecution({
      namespace: drover.config.TEMPORAL_NAMESPACE,
      workflowExecution: { workflowId: batchWorkflowId(id) },
      signalName: at % 2 === 0 ? 'dependenciesAvailable' : 'resume',
      input: { payloads: [payload ?? {}] },
    });
  }
  expect((await drover.until(id, ({ source }) => source === 'workflow')).status).toBe('waiting');
  await drover.upload('thing', [{ externalId: 'b' }]);
  expect((await drover.ended(id)).status).toBe('success');
  expect(await failedTasks(drover, id)).toEqual([]);
});
