import { createDrover, parseNdjson, piecesOf } from '@drover/client';

/** What a program does with the client, whatever runs it. @param url of a service that has the schema definition `lamp`. */
export async function smoke(url, tenant) {
  const drover = createDrover({ url, tenant });
  const { batchId } = await drover.resources.upload('lamp', [
    { externalId: 'a', watts: 4 },
    { externalId: 'b', watts: 'many' },
  ]);
  const { status } = await drover.batch(batchId).finished({ signal: AbortSignal.timeout(60_000) });
  const items = [];
  for await (const item of drover.batch(batchId).items()) items.push(`${item.externalId} ${item.status}`);
  const file = new Blob(['externalId,watts\nc,5\nd,6\n'], { type: 'text/csv' });
  const importId = await drover.import(file, { schema: 'lamp', partBytes: 20 });
  const imported = await drover.imports.wait(importId, { signal: AbortSignal.timeout(60_000) });
  const exported = [];
  for await (const { externalId } of parseNdjson(piecesOf(await drover.resources.export('lamp')))) exported.push(externalId);
  const refusal = await drover.resources.get('lamp', 'none').catch((error) => `${error.name} ${error.status}`);
  return [status, ...items, `import ${imported.status}`, `export ${exported.join(' ')}`, refusal].join(', ');
}
