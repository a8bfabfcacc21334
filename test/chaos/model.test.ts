import { describe, expect, test } from 'vitest';
import { type Effect, type Event, explain, merged } from '../../chaos/checks/model.ts';

const event = (from: number, to: number, effect: Effect): Event => ({ what: `${from}-${to}`, from, to, effect });
const created = (body: object): Effect => ({ kind: 'created', body: body as never });
const updated = (body: object): Effect => ({ kind: 'updated', body: body as never });
const state = (version: number, data: object) => ({ version, data: data as never });

describe('the model explains what may have happened', () => {
  test('writes that overlap, in the only order that leads to the stored state', () => {
    const events = [event(0, 1, created({ a: 0 })), event(2, 9, updated({ a: 1 })), event(3, 8, updated({ a: 2 }))];
    expect(explain(events, state(3, { a: 1 })).kind).toBe('explained');
    expect(explain(events, state(3, { a: 2 })).kind).toBe('explained');
  });

  test('a second life, whose versions begin at 1 again', () => {
    const events = [
      event(0, 1, created({ a: 0 })),
      event(2, 3, updated({ a: 1 })),
      event(4, 5, { kind: 'removed' }),
      event(6, 7, created({ b: 1 })),
    ];
    expect(explain(events, state(1, { b: 1 })).kind).toBe('explained');
  });

  test('refusals and reads at moments at which they were true', () => {
    const events = [
      event(0, 9, { kind: 'absent' }),
      event(0, 9, created({ a: 0 })),
      event(5, 9, { kind: 'present' }),
      event(3, 4, { kind: 'read', state: null }),
      event(8, 9, { kind: 'read', state: state(1, { a: 0 }) }),
      event(8, 9, { kind: 'unchanged', body: { a: 0 } }),
    ];
    expect(explain(events, state(1, { a: 0 })).kind).toBe('explained');
  });

  test('the effects of an item whose batch was removed: once, or not at all', () => {
    const maybe = event(2, 3, { kind: 'maybe', effects: [created({ b: 1 }), updated({ b: 1 })] });
    const before = event(0, 1, created({ a: 0 }));
    expect(explain([before, maybe], state(2, { a: 0, b: 1 })).kind).toBe('explained');
    expect(explain([before, maybe], state(1, { a: 0 })).kind).toBe('explained');
    expect(explain([maybe], state(1, { b: 1 })).kind).toBe('explained');
    expect(explain([before, maybe], state(3, { a: 0, b: 1 })).kind).toBe('contradiction');
    const read = event(4, 5, { kind: 'read', state: state(1, { a: 0 }) });
    expect(explain([before, maybe, read], state(2, { a: 0, b: 1 })).kind).toBe('contradiction');
  });

  test('null deletes a field', () => {
    expect(merged({ a: 1, b: 2 }, { a: null, c: 3 })).toEqual({ b: 2, c: 3 });
  });
});

describe('the model contradicts what cannot have happened', () => {
  test.each([
    ['a lost update', [event(0, 1, created({ a: 0 })), event(2, 3, updated({ b: 1 }))], state(2, { a: 0 })],
    ['an effect that happened twice', [event(0, 1, created({ a: 0 }))], state(2, { a: 0 })],
    [
      'a write that undid a later one',
      [event(0, 1, created({ a: 0 })), event(2, 3, updated({ a: 1 })), event(4, 5, updated({ a: 2 }))],
      state(3, { a: 1 }),
    ],
    ['a resource that is back', [event(0, 1, created({ a: 0 })), event(2, 3, { kind: 'removed' })], state(1, { a: 0 })],
    ['a resource that no item wrote', [], state(1, { a: 0 })],
    ['two creations of one life', [event(0, 9, created({ a: 0 })), event(0, 9, created({ a: 0 }))], state(1, { a: 0 })],
    ['an update of nothing', [event(0, 1, updated({ a: 1 }))], null],
    ['a conflict with nothing', [event(0, 9, { kind: 'present' })], null],
    [
      'absence while the resource existed',
      [event(0, 1, created({ a: 0 })), event(2, 3, { kind: 'absent' })],
      state(1, { a: 0 }),
    ],
    [
      'a read of a value that was never written',
      [event(0, 1, created({ a: 0 })), event(0, 9, { kind: 'read', state: state(1, { a: 7 }) })],
      state(1, { a: 0 }),
    ],
  ] as const)('%s', (_, events, end) => {
    expect(explain(events, end).kind).toBe('contradiction');
  });

  test('items of one batch in another order', () => {
    const first = event(2, 9, updated({ a: 1 }));
    const second: Event = { ...event(2, 9, updated({ a: 2 })), after: [first] };
    const events = [event(0, 1, created({ a: 0 })), first, second];
    expect(explain(events, state(3, { a: 2 })).kind).toBe('explained');
    expect(explain(events, state(3, { a: 1 })).kind).toBe('contradiction');
  });
});

test('a search with too many orders is aborted, and says so', () => {
  const events = [
    event(0, 1, created({ a: 0 })),
    ...Array.from({ length: 30 }, (_, n) => event(2, 9, updated({ [`f${n}`]: n }))),
  ];
  expect(explain(events, state(31, { a: 1 }), 1_000).kind).toBe('open');
});

describe('the model knows undos', () => {
  const by = (batch: string, one: Event): Event => ({ ...one, undone: batch });
  const reverted = (of: string): Effect => ({ kind: 'reverted', of });
  const start = event(0, 1, created({ a: 0 }));
  const update = by('u', event(2, 3, updated({ a: 1 })));

  test('an update is taken back with a new version, a creation is removed, and a deletion brings back the life', () => {
    expect(explain([start, update, event(4, 5, reverted('u'))], state(3, { a: 0 })).kind).toBe('explained');
    expect(explain([by('c', start), event(4, 5, reverted('c'))], null).kind).toBe('explained');
    const removal = by('d', event(4, 5, { kind: 'removed' }));
    expect(explain([start, update, removal, event(6, 7, reverted('d'))], state(3, { a: 1 })).kind).toBe('explained');
  });

  test('undos of several batches, the last one first; and items of one batch in a row are taken back as one', () => {
    const later = by('v', event(4, 5, updated({ a: 2 })));
    const undos = [event(6, 7, reverted('v')), event(8, 9, reverted('u'))];
    expect(explain([start, update, later, ...undos], state(5, { a: 0 })).kind).toBe('explained');
    const more = by('u', event(4, 5, updated({ b: 1 })));
    expect(explain([start, update, more, event(6, 7, reverted('u'))], state(4, { a: 0 })).kind).toBe('explained');
  });

  test('it contradicts an undo that has done nothing, or too much, or over what others have written', () => {
    const undo = event(6, 7, reverted('u'));
    expect(explain([start, update, undo], state(2, { a: 1 })).kind).toBe('contradiction');
    expect(explain([start, update, undo], null).kind).toBe('contradiction');
    expect(explain([start, update, event(4, 5, updated({ b: 2 })), undo], state(4, { a: 0 })).kind).toBe(
      'contradiction',
    );
    expect(explain([start, update, event(4, 5, updated({ b: 2 })), undo], state(4, { a: 0, b: 2 })).kind).toBe(
      'contradiction',
    );
  });
});
