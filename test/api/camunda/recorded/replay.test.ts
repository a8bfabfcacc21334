import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from '../engine/engine.ts';
import { Scene } from '../engine/scene.ts';
import { ALLOWED } from './allowed-differences.ts';
import { compare, Ids, type Recording } from './compare.ts';
import recordings from './recorded.json' with { type: 'json' };

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.start({ worker: false });
});
afterAll(() => engine.stop());

const ids = new Ids();

async function replay({ request, response }: Recording): Promise<string[]> {
  const { method, path, contentType, accept, body, bodyText } = request;
  const text = bodyText ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers = { ...(contentType && { 'content-type': contentType }), ...(accept && { accept }) };
  const live = await engine.send(method, ids.translate(path), text && ids.translate(text), headers);
  return compare(ids, response, live);
}

test('the replayed recordings of a Camunda 7.22 engine differ only where a difference is listed with its reason', async () => {
  expect(recordings).toHaveLength(85);
  const scene = new Scene(engine, ids);
  const found: string[] = [];
  for (const recording of recordings as Recording[]) {
    await scene.before(recording.name);
    const paths = await replay(recording);
    found.push(...paths.map((path) => `${recording.name}: ${path}`));
  }
  await scene.end();
  const allowed = ALLOWED.flatMap(({ differences }) => differences);
  expect(new Set(allowed).size, 'each difference is listed once').toBe(allowed.length);
  expect(found.sort()).toEqual([...allowed].sort());
}, 240_000);
