import { describe, expect, test } from 'vitest';
import { check, sleepers } from '../../chaos/checker.ts';
import type { ItemAnswer, JsonObject } from '../../chaos/workload/answers.ts';
import { answerOf, Doctored } from './doctored.ts';

const created: Partial<ItemAnswer> = { status: 'succeeded', action: 'created' };
const updated: Partial<ItemAnswer> = { status: 'succeeded', action: 'updated' };
const failed = (code: string, more: Partial<ItemAnswer> = {}): Partial<ItemAnswer> => ({
  status: 'failed',
  errors: [{ code, message: '' }],
  ...more,
});
const skipped = (code: string): Partial<ItemAnswer> => ({ status: 'skipped', errors: [{ code, message: '' }] });
const place = (externalId: string, name: string, more: JsonObject = {}): JsonObject => ({ externalId, name, ...more });

/** Two tenants, with creations, updates, a delete, a cascade, refusals, a reference and reads; every invariant holds. */
function sound(): Doctored {
  const state = new Doctored();
  state.batch('alpha', 'upload', 'place', [
    { externalId: 'p1', body: place('p1', 'alpha.1.0.name'), outcome: created },
    { externalId: 'p2', body: place('p2', 'alpha.1.1.name'), outcome: created },
    { externalId: 'p3', body: place('p3', 'alpha.1.2.name'), outcome: created },
    {
      externalId: 'bad',
      body: place('bad', 'alpha.1.3.name', { size: 'large' }),
      fault: 'validation',
      outcome: failed('validation'),
    },
  ]);
  state.batch('alpha', 'upload', 'team', [
    { externalId: 't1', body: { externalId: 't1', note: 'alpha.2.0.note', places: ['p1'] }, outcome: created },
    { externalId: 't2', body: { externalId: 't2', note: 'alpha.2.1.note', places: ['p3'] }, outcome: created },
  ]);
  state.read('alpha', 'place', 'p1', { id: 'life-1', versionNumber: 1, data: place('p1', 'alpha.1.0.name') });
  state.batch('alpha', 'patch', 'place', [
    { externalId: 'p1', body: { externalId: 'p1', note: 'alpha.3.0.note' }, outcome: updated },
    { externalId: 'p9', body: { externalId: 'p9', note: 'alpha.3.1.note' }, outcome: failed('not_found') },
  ]);
  state.batch(
    'alpha',
    'upload',
    'place',
    [{ externalId: 'p1', body: place('p1', 'alpha.4.0.name'), outcome: failed('conflict') }],
    { onconflict: 'reject' },
  );
  state.batch('alpha', 'delete', 'place', [
    { externalId: 'p1', outcome: skipped('referenced') },
    { externalId: 'p2', outcome: { status: 'succeeded', action: 'deleted' } },
    { externalId: 'ghost.alpha.5', outcome: skipped('not_found') },
  ]);
  const cascade = state.batch(
    'alpha',
    'delete',
    'place',
    [
      { externalId: 'p3', outcome: { status: 'succeeded', action: 'deleted' } },
      { externalId: 'ghost.alpha.6', outcome: skipped('not_found') },
    ],
    { cascade: true },
  );
  const falsified = { ...cascade.batch.batch, actions: { ...cascade.batch.batch.actions, cascaded: 1 } };
  Object.assign(cascade.batch, { batch: falsified, single: falsified });
  state.batch('beta', 'upload', 'place', [{ externalId: 'p1', body: place('p1', 'beta.7.0.name'), outcome: created }]);
  state.store('alpha', 'place', 'p1', place('p1', 'alpha.1.0.name', { note: 'alpha.3.0.note' }), 2);
  state.store('alpha', 'team', 't1', { externalId: 't1', note: 'alpha.2.0.note', places: ['p1'] });
  state.store('beta', 'place', 'p1', place('p1', 'beta.7.0.name'));
  return state;
}

const rules = (state: Doctored): string[] => check(state.journal, state.snapshot()).violations.map(({ rule }) => rule);

/** The part of the state that a test falsifies. */
function batchOf(state: Doctored, number: number) {
  const found = [...state.batches.values()].flat().find(({ batch }) => batch.batchId === `batch-${number}`);
  if (found === undefined) throw new Error(`no batch ${number}`);
  return found;
}

/** Falsifies the answer about a batch. */
function alter(state: Doctored, number: number, more: object): void {
  Object.assign(batchOf(state, number), more);
}

/** Changes the items of a batch, and its numbers accordingly. */
function changeItems(state: Doctored, number: number, change: (items: ItemAnswer[]) => ItemAnswer[]): void {
  const found = batchOf(state, number);
  const items = change([...(found.items ?? [])]);
  const { counts, actions, progress, status, errors } = answerOf('', '', items);
  const { errors: _, ...before } = found.batch;
  const batch = { ...before, counts, actions, progress, status, ...(errors && { errors }) };
  Object.assign(found, { items, batch, single: batch });
}

const replaced =
  (at: number, more: Partial<ItemAnswer>) =>
  (items: ItemAnswer[]): ItemAnswer[] =>
    items.map((item, index) =>
      index === at ? { index, externalId: item.externalId, attempts: 1, status: '', ...more } : item,
    );

test('a sound state has no violation', () => {
  expect(check(sound().journal, sound().snapshot())).toMatchObject({ violations: [], undecided: 0 });
});

describe('the checker finds', () => {
  const cases: Record<string, { breaks: string; how: (state: Doctored) => void }> = {
    'a batch that is lost': { breaks: 'batch lost', how: (state) => state.batches.get('alpha')?.splice(2, 1) },
    'a batch that no client sent': { breaks: 'unknown batch', how: (state) => state.journal.requests.splice(2, 1) },
    'one request that became two batches': {
      breaks: 'one request, two batches',
      how: (state) => {
        const { batch, ...more } = batchOf(state, 3);
        state.batches.get('alpha')?.push({ ...more, batch: { ...batch, batchId: 'twin' } });
      },
    },
    'one key with two answers': {
      breaks: 'one key, two batches',
      how: (state) => state.journal.requests[0]?.results.push({ kind: 'accepted', batchId: 'batch-2', recordCount: 4 }),
    },
    'a refused request that was applied': {
      breaks: 'refused and done',
      how: (state) => state.journal.requests[2]?.results.splice(0, 1, { kind: 'refused', status: 400 }),
    },
    'a batch without its items': { breaks: 'incomplete batch', how: (state) => alter(state, 1, { items: null }) },
    'a batch with fewer items than were sent': {
      breaks: 'incomplete batch',
      how: (state) => changeItems(state, 1, (items) => items.slice(0, 3)),
    },
    'a recordCount that is not the number of items': {
      breaks: 'numbers do not add up',
      how: (state) =>
        state.journal.requests[0]?.results.splice(0, 1, { kind: 'accepted', batchId: 'batch-1', recordCount: 5 }),
    },
    'a body that is not the one sent': {
      breaks: 'incomplete batch',
      how: (state) => alter(state, 7, { bodies: [place('p1', 'beta.7.0.name', { note: 'x' })] }),
    },
    'a batch of another tenant': {
      breaks: 'tenants mixed',
      how: (state) => state.batches.get('beta')?.push(...(state.batches.get('alpha')?.splice(2, 1) ?? [])),
    },
    'a batch that did not end': {
      breaks: 'batch not ended',
      how: (state) => alter(state, 1, { batch: { ...batchOf(state, 1).batch, status: 'processing' } }),
    },
    'an item without an outcome': {
      breaks: 'item without outcome',
      how: (state) => changeItems(state, 2, replaced(0, { status: 'queued' })),
    },
    'an item that is there twice': {
      breaks: 'items lost',
      how: (state) => changeItems(state, 2, (items) => [items[0], items[0]] as ItemAnswer[]),
    },
    'counts that do not add up': {
      breaks: 'numbers do not add up',
      how: (state) =>
        alter(state, 1, {
          batch: { ...batchOf(state, 1).batch, counts: { ...batchOf(state, 1).batch.counts, succeeded: 2 } },
        }),
    },
    'actions that do not add up': {
      breaks: 'numbers do not add up',
      how: (state) =>
        alter(state, 1, {
          batch: { ...batchOf(state, 1).batch, actions: { ...batchOf(state, 1).batch.actions, created: 4 } },
        }),
    },
    'a list that says other than the batch alone': {
      breaks: 'numbers do not add up',
      how: (state) => alter(state, 1, { single: { ...batchOf(state, 1).batch, status: 'failed' } }),
    },
    'a wrong item that succeeded': {
      breaks: 'outcome that cannot be',
      how: (state) => changeItems(state, 1, replaced(3, created)),
    },
    'an item that failed for a reason of ours': {
      breaks: 'outcome that cannot be',
      how: (state) => changeItems(state, 1, replaced(0, failed('internal'))),
    },
    'a cancelled item that no client cancelled': {
      breaks: 'outcome that cannot be',
      how: (state) => changeItems(state, 1, replaced(0, { status: 'cancelled' })),
    },
    'an outcome that changed': {
      breaks: 'outcome changed',
      how: (state) =>
        state.journal.seen.push({
          tenant: 'alpha',
          batchId: 'batch-3',
          at: 0,
          by: 9_000_000,
          items: [{ index: 1, externalId: 'p9', status: 'succeeded', action: 'updated', attempts: 1 }],
        }),
    },
    'an item that conflicts with itself': {
      breaks: 'effects do not add up',
      how: (state) => changeItems(state, 7, replaced(0, failed('conflict'))),
    },
    'a lost update': {
      breaks: 'no order explains it',
      how: (state) => {
        state.batch('alpha', 'patch', 'place', [
          { externalId: 'p1', body: { externalId: 'p1', motto: 'alpha.8.0.motto' }, outcome: updated },
        ]);
      },
    },
    'a value that no item wrote': {
      breaks: 'value without a writer',
      how: (state) => void Object.assign(state.resources.get('beta')?.[0]?.data ?? {}, { name: 'alpha.1.0.name' }),
    },
    'a resource that a delete has left': {
      breaks: 'effects do not add up',
      how: (state) => state.store('alpha', 'place', 'p2', place('p2', 'alpha.1.1.name')),
    },
    'a resource that vanished': {
      breaks: 'cascades do not add up',
      how: (state) => {
        state.resources.get('beta')?.pop();
        state.raw.pop();
      },
    },
    'a version that went back': {
      breaks: 'reads that contradict',
      how: (state) => {
        state.read('alpha', 'place', 'p1', { id: 'life-1', versionNumber: 2, data: {} });
        state.read('alpha', 'place', 'p1', { id: 'life-1', versionNumber: 1, data: {} });
      },
    },
    'a read of what never was': {
      breaks: 'no order explains it',
      how: (state) => state.read('alpha', 'place', 'p1', null),
    },
    'a resource that is back from the dead': {
      breaks: 'reads that contradict',
      how: (state) => {
        state.read('alpha', 'place', 'p1', null);
        state.read('alpha', 'place', 'p1', { id: 'life-1', versionNumber: 2, data: {} });
      },
    },
    'a dangling reference': {
      breaks: 'dangling reference',
      how: (state) => {
        state.resources.get('alpha')?.shift();
        state.raw.shift();
      },
    },
    'stored references that are not those of the data': {
      breaks: 'references differ',
      how: (state) => void Object.assign(state.raw[1] ?? {}, { references: [] }),
    },
    'a reference to what was never there': {
      breaks: 'reference to nothing',
      how: (state) => {
        state.batch('alpha', 'upload', 'team', [
          { externalId: 't9', body: { externalId: 't9', note: 'alpha.8.0.note', places: ['p99'] }, outcome: created },
        ]);
        state.store('alpha', 'team', 't9', { externalId: 't9', note: 'alpha.8.0.note', places: ['p99'] });
      },
    },
    'an item that missed what was there': {
      breaks: 'wrongly missing',
      how: (state) => {
        const outcome = failed('missing_dependency', {
          missingDependencies: [{ schemaName: 'place', externalId: 'p1' }],
        });
        state.batch('alpha', 'upload', 'team', [
          { externalId: 't9', body: { externalId: 't9', note: 'alpha.8.0.note', places: ['p1'] }, outcome },
        ]);
      },
    },
    'a document under another tenant': {
      breaks: 'tenants mixed',
      how: (state) => void Object.assign(state.raw[2] ?? {}, { scope: 'default/alpha' }),
    },
    'a document that the API does not return': {
      breaks: 'API and store differ',
      how: (state) => void state.resources.get('beta')?.pop(),
    },
    'a resource that is not stored': { breaks: 'API and store differ', how: (state) => void state.raw.pop() },
    'a batch that another tenant can read': {
      breaks: 'tenants mixed',
      how: (state) => void state.foreign.push('batch-1'),
    },
    'marks, intents and claims that are left over': {
      breaks: 'left over',
      how: (state) => void state.leftovers.push('intent 1'),
    },
    'an answer of a bug': {
      breaks: 'answer of a bug',
      how: (state) => void state.journal.wrongAnswers.push('GET /: 500'),
    },
  };
  test.each(Object.entries(cases))('%s', (_, { breaks, how }) => {
    const state = sound();
    how(state);
    expect(rules(state)).toContain(breaks);
  });
});

describe('pending items', () => {
  const waiting = { dependencyWaitTimeout: 60 };
  const person = (externalId: string, more: JsonObject) => ({
    externalId,
    body: { externalId, name: `alpha.0.0.${externalId}`, ...more },
    outcome: { status: 'pending' },
  });

  test('whose references are there count as asleep', () => {
    const state = sound();
    state.batch('alpha', 'upload', 'person', [person('a', { home: 'p1' })], waiting);
    expect(sleepers(state.journal, state.snapshot())).toMatchObject([{ rule: 'asleep', key: 'person/a' }]);
  });

  test('that need each other, in different batches, count as asleep', () => {
    const state = sound();
    state.batch('alpha', 'upload', 'person', [person('a', { boss: 'b' })], waiting);
    state.batch('alpha', 'upload', 'person', [person('b', { friends: ['a'], home: 'p1' })], waiting);
    expect(sleepers(state.journal, state.snapshot())).toHaveLength(2);
  });

  test('that miss a resource, or need an item that does, may wait', () => {
    const state = sound();
    state.batch('alpha', 'upload', 'person', [person('a', { boss: 'b' })], waiting);
    state.batch('alpha', 'upload', 'person', [person('b', { friends: ['a'], home: 'p77' })], waiting);
    // the same resource of another tenant does not count
    state.batch('beta', 'upload', 'place', [
      { externalId: 'p77', body: place('p77', 'beta.0.0.name'), outcome: created },
    ]);
    state.store('beta', 'place', 'p77', place('p77', 'beta.0.0.name'));
    expect(sleepers(state.journal, state.snapshot())).toEqual([]);
  });
});

describe('an import', () => {
  function imported(format: 'ndjson' | 'csv' = 'ndjson') {
    const state = new Doctored();
    const rows = Array.from({ length: 5 }, (_, at) => place(`row-${at}`, `alpha.1.${at}.name`));
    state.import('alpha', 'place', format, [rows.slice(0, 3), rows.slice(3)]);
    for (const row of rows) state.store('alpha', 'place', String(row.externalId), row);
    const [found] = state.imports.get('alpha') ?? [];
    const [request] = state.journal.requests;
    if (found?.answer === undefined || request?.import === undefined) throw new Error('no import');
    const alterImport = (more: object): void => {
      state.imports.set('alpha', [{ ...found, ...more }]);
    };
    return { state, found, request, alterImport };
  }

  test('whose rows are all in its batches, in order and with their results, is sound', () => {
    for (const format of ['ndjson', 'csv'] as const) expect(rules(imported(format).state)).toEqual([]);
  });

  test('may have begun before the time that a worker has noted by a clock which is ahead', () => {
    const { state } = imported();
    state.read('alpha', 'place', 'row-0', {
      id: 'id-of-row-0',
      data: place('row-0', 'alpha.1.0.name'),
      versionNumber: 1,
    });
    const AHEAD_MS = 10_000;
    const later = (at: string | undefined): string => new Date(Date.parse(at ?? '') + AHEAD_MS).toISOString();
    for (const { batch } of state.batches.get('alpha') ?? [])
      Object.assign(batch, { createdAt: later(batch.createdAt), completedAt: later(batch.completedAt) });
    expect(rules(state)).toContain('no order explains it');
    Object.assign(state.journal, { clocksOffMs: AHEAD_MS });
    expect(rules(state)).toEqual([]);
  });

  test('that lacks a row, has one twice, or in another order, is found', () => {
    const lacking = imported();
    lacking.state.batches.get('alpha')?.pop();
    lacking.alterImport({ batchIds: lacking.found.batchIds.slice(0, 1) });
    expect(rules(lacking.state)).toContain('rows lost');
    const twice = imported();
    twice.alterImport({ batchIds: [...twice.found.batchIds, twice.found.batchIds[1]] });
    expect(rules(twice.state)).toContain('rows twice');
    const turned = imported();
    turned.alterImport({ batchIds: turned.found.batchIds.toReversed() });
    expect(rules(turned.state)).toContain('incomplete batch');
  });

  test('that was accepted and is not there, or not sealed, is found; one that a client has cancelled, or that broke off, may lack rows', () => {
    const lost = imported();
    lost.state.imports.clear();
    expect(rules(lost.state)).toContain('import lost');
    const open = imported();
    open.alterImport({ answer: { ...open.found.answer, sealed: false } });
    expect(rules(open.state)).toContain('rows lost');
    const brokenOff = imported();
    brokenOff.request.results.splice(0, 1, { kind: 'unknown', why: 'no answer' });
    if (brokenOff.request.import) brokenOff.request.import.isSealed = false;
    brokenOff.state.batches.get('alpha')?.pop();
    const counts = { ...brokenOff.found.answer.counts, succeeded: 3 };
    const about = { sealed: false, brokenOff: 'its sender has gone', status: 'cancelled', rowsRead: 3, counts };
    brokenOff.alterImport({
      answer: { ...brokenOff.found.answer, ...about },
      batchIds: brokenOff.found.batchIds.slice(0, 1),
      rows: brokenOff.found.rows.slice(0, 3),
    });
    brokenOff.state.resources.get('alpha')?.splice(3);
    brokenOff.state.raw.splice(3);
    expect(rules(brokenOff.state)).toEqual([]);
  });

  test('whose results or numbers are not those of its rows is found', () => {
    const other = imported('csv');
    other.alterImport({ rows: other.found.rows.map((row) => ({ ...row, line: row.line + 1 })) });
    expect(rules(other.state)).toEqual(['results differ']);
    const numbers = imported();
    numbers.alterImport({ answer: { ...numbers.found.answer, rowsRead: 4 } });
    expect(rules(numbers.state)).toEqual(['numbers do not add up']);
  });
});

test('a batch whose answer was lost is recognised by its content', () => {
  const state = sound();
  for (const request of state.journal.requests) request.results.splice(0, 1, { kind: 'unknown', why: 'broken' });
  expect(rules(state)).toEqual([]);
});

describe('a batch that was removed', () => {
  const sample = { kind: 'place', ids: ['s1', 's2', 's3'], every: 50, done: 0 } as const;
  const removed = (status: number | null): Doctored => {
    const state = sound();
    state.remove('alpha', 'batch-3', status);
    return state;
  };

  test.each([200, 503, null])('is not lost, whatever it has done, if the answer was %s', (status) => {
    const state = removed(status);
    expect(rules(state)).toEqual([]);
    // or the batch had done nothing yet
    Object.assign(state.resources.get('alpha')?.[0] ?? {}, { data: place('p1', 'alpha.1.0.name'), versionNumber: 1 });
    Object.assign(state.raw[0] ?? {}, { data: place('p1', 'alpha.1.0.name'), version: 1 });
    expect(rules(state)).toEqual([]);
  });

  test('is lost if its removal was refused', () => {
    expect(rules(removed(404))).toContain('batch lost');
  });

  test('has applied its items at most once', () => {
    const state = removed(200);
    Object.assign(state.resources.get('alpha')?.[0] ?? {}, { versionNumber: 3 });
    Object.assign(state.raw[0] ?? {}, { version: 3 });
    expect(rules(state)).toEqual(['no order explains it']);
  });

  test('has written nothing long after the answer', () => {
    const state = removed(200);
    const p1 = { id: 'life-1', versionNumber: 1, data: place('p1', 'alpha.1.0.name') };
    state.wait(600_000);
    state.read('alpha', 'place', 'p1', p1);
    expect(rules(state)).toEqual(['no order explains it']);
  });

  test('may have deleted resources, which then were not deleted by a cascade', () => {
    const state = sound();
    state.remove('alpha', 'batch-5', 200);
    expect(rules(state)).toEqual([]);
    // unless the resource did not exist any more
    state.remove('alpha', 'batch-6', 404);
    expect(rules(state)).toContain('batch lost');
  });

  test('is neither listed nor answered', () => {
    const state = sound();
    const { batches } = state;
    const before = [...(batches.get('alpha') ?? [])];
    state.remove('alpha', 'batch-3', 200);
    state.stillAnswered.push('batch-3');
    expect(rules(state)).toEqual(['removed and there']);
    batches.set('alpha', before);
    expect(rules(state)).toEqual(['removed and there', 'removed and there']);
  });

  test('writes no more than the slice that was at work', () => {
    const state = sound();
    state.remove('alpha', 'batch-3', 200, sample);
    const created = ['s1', 's2', 's3'].map((id, at) => ({
      externalId: id,
      body: place(id, `alpha.8.${at}.name`),
      outcome: { status: 'succeeded', action: 'created' },
    }));
    state.batch('alpha', 'upload', 'place', created);
    for (const { externalId, body } of created.slice(0, 2)) state.store('alpha', 'place', externalId, body);
    expect(rules(state)).not.toContain('went on');
    state.store('alpha', 'place', 's3', created[2]?.body ?? {});
    expect(rules(state)).toEqual(['went on']);
  });
});

describe('a batch that was suspended or cancelled', () => {
  const halt = { tenant: 'alpha', batchId: 'batch-1', verb: 'suspend', from: 1_000, to: 2_000, done: 40 } as const;

  test('writes no more than the slice that was at work', () => {
    const state = sound();
    state.journal.halts.push({ ...halt, later: 140 });
    expect(rules(state)).toEqual([]);
    state.journal.halts.push({ ...halt, later: 141 });
    expect(rules(state)).toEqual(['went on']);
  });

  test('may continue when another client has resumed it meanwhile', () => {
    const state = sound();
    state.journal.halts.push({ ...halt, later: 300 });
    const resume = { tenant: 'alpha', batchId: 'batch-1', verb: 'resume', sentAt: 1_500 } as const;
    state.journal.controls.push({ ...resume, status: 409 });
    expect(rules(state)).toEqual(['went on']);
    state.journal.controls.push({ ...resume, status: null });
    expect(rules(state)).toEqual([]);
  });
});

test('dates of a worker whose clock is off are corrected', () => {
  const state = sound();
  // it was read in its second version before the patch had ended, by the clock of its worker
  const { batch } = batchOf(state, 3);
  const completedAt = new Date(Date.parse(batch.completedAt ?? '') - 30_000).toISOString();
  const early = { ...batch, completedAt };
  alter(state, 3, { batch: early, single: early });
  expect(rules(state)).toContain('no order explains it');
  expect(rules(Object.assign(state, { journal: { ...state.journal, clocksOffMs: 30_000 } }))).toEqual([]);
});

describe('the checker knows undos', () => {
  const UNDOABLE = { undoable: true };
  /** A place that is updated by a batch, whose undo says that it has taken that back. */
  function withUndo(): { state: Doctored; batchId: string; undoId: string } {
    const state = sound();
    const number = state.journal.requests.length + 1;
    const { batch } = state.batch(
      'beta',
      'upload',
      'place',
      [{ externalId: 'u', body: place('u', `beta.${number}.0.name`), outcome: created }],
      UNDOABLE,
    );
    const { batchId } = batch.batch;
    const undoId = state.undo('beta', batchId, [{ kind: 'place', externalId: 'u' }]);
    return { state, batchId, undoId };
  }

  test('an undo that has taken back what it says is no violation', () => {
    const { state } = withUndo();
    expect(check(state.journal, state.snapshot()).violations).toEqual([]);
  });

  test('one that was not asked for, that is lost, that leaves what it says it has removed, or leaves out an effect is one', () => {
    const rulesOf = (falsify: (made: ReturnType<typeof withUndo>) => void): string[] => {
      const made = withUndo();
      falsify(made);
      return check(made.state.journal, made.state.snapshot()).violations.map(({ rule }) => rule);
    };
    expect(rulesOf(({ state }) => state.journal.undos.pop())).toContain('unknown undo');
    expect(rulesOf(({ state, undoId }) => state.lose('beta', undoId))).toContain('undo lost');
    expect(rulesOf(({ state, undoId }) => state.change('beta', undoId, { items: [], undoes: [] }))).toContain(
      'effect without undo',
    );
    const left = rulesOf(({ state, batchId }) => state.store('beta', 'place', 'u', bodyOf(state, batchId)));
    expect(left.some((rule) => ['no order explains it', 'effects do not add up'].includes(rule))).toBe(true);
  });

  const bodyOf = (state: Doctored, batchId: string): JsonObject =>
    state.batches.get('beta')?.find(({ batch }) => batch.batchId === batchId)?.bodies[0] ?? {};
});

describe('the checker knows webhooks and start times', () => {
  test('an end of which no message has arrived is a violation, for a tenant with a webhook', () => {
    const state = sound();
    const rules = () => check(state.journal, state.snapshot()).violations.map(({ rule }) => rule);
    state.journal.webhooks.push({ tenant: 'alpha', webhookId: 'hook' });
    const ids = (state.batches.get('alpha') ?? []).map(({ batch }) => batch.batchId);
    const imports = (state.imports.get('alpha') ?? []).map(({ answer }) => answer.importId);
    expect(new Set(rules())).toEqual(new Set(['not told']));
    expect(rules()).toHaveLength(ids.length + imports.length);
    for (const id of ids) state.journal.told.push({ tenant: 'alpha', type: 'batch.completed', id });
    for (const id of imports) state.journal.told.push({ tenant: 'alpha', type: 'import.completed', id });
    expect(rules()).toEqual([]);
    state.journal.told.pop();
    expect(rules()).toEqual(['not told']);
  });

  test('what was read, or had ended, before the start time of its batch has begun early', () => {
    const rulesFor = (startAt: number, falsify: (state: Doctored, number: number) => void = () => undefined) => {
      const state = sound();
      const number = state.journal.requests.length + 1;
      const body = place('later', `beta.${number}.0.name`);
      const options = { startAt: new Date(startAt).toISOString() };
      state.batch('beta', 'upload', 'place', [{ externalId: 'later', body, outcome: created }], options);
      state.store('beta', 'place', 'later', body);
      falsify(state, number);
      return check(state.journal, state.snapshot()).violations.map(({ rule }) => rule);
    };
    const read = (state: Doctored, number: number): void => {
      const data = place('later', `beta.${number}.0.name`);
      state.read('beta', 'place', 'later', { id: 'life', versionNumber: 1, data });
    };
    expect(rulesFor(1, read)).toEqual([]);
    expect(rulesFor(9e12)).toEqual([]);
    expect(rulesFor(9e12, read)).toEqual(['began early']);
  });
});
