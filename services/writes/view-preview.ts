import { AnswerRoom } from '../../domain/batch/answer-room.ts';
import { type Actions, type Counts, noActions, noCounts } from '../../domain/batch/outcome.ts';
import { addTally, tallyOf } from '../../domain/batch/tally.ts';
import { shortened } from '../../domain/json/shortened.ts';
import type { Item } from '../../store/items/item-pages.ts';
import type { StoredOutcome } from '../../store/items/outcomes.ts';
import { type ItemView, viewOf } from '../batches/list-items.ts';

/** Longest message of an item for whose details there is no room, in characters. */
const BRIEF_MESSAGE = 60;

/** An item of a dry run, as callers read it. */
interface PreviewedItem extends Omit<ItemView, 'attempts'> {
  /** There is no room for all of its errors and missing references. */
  readonly isShortened?: true;
}

/** The answer to a dry run of an upload or patch. */
interface PreviewView {
  readonly counts: Counts;
  readonly actions: Actions;
  readonly items: readonly PreviewedItem[];
}

/** What items would become. Every item is in the answer, whose size is bounded: those without room lose details. */
export function viewPreview(
  items: readonly Pick<Item, 'index' | 'externalId'>[],
  outcomes: ReadonlyMap<number, StoredOutcome>,
): PreviewView {
  const counts = noCounts();
  const actions = noActions();
  addTally({ counts, actions, errorCodes: {} }, tallyOf(outcomes.values()));
  const room = new AnswerRoom();
  const views = items.map(({ index, externalId }): PreviewedItem => {
    const outcome = outcomes.get(index);
    if (outcome === undefined) throw new Error('a dry run has decided nothing about an item');
    const { attempts: _, ...shown } = viewOf(index, externalId, outcome);
    return shown;
  });
  const brief = views.map(briefly);
  // there is always room for the brief ones
  for (const view of brief) room.take(view);
  return { counts, actions, items: views.map((view, at) => (room.take(view) ? view : (brief[at] ?? view))) };
}

function briefly({
  index,
  externalId,
  status,
  action,
  errors: [first] = [],
  missingTotal,
}: PreviewedItem): PreviewedItem {
  return {
    index,
    externalId,
    status,
    ...(action && { action }),
    ...(first && { errors: [{ code: first.code, message: shortened(first.message, BRIEF_MESSAGE) }] }),
    ...(missingTotal !== undefined && { missingTotal }),
    isShortened: true,
  };
}
