/**
 * The order of names in an object as it was sent. JavaScript lists names that look like places in an array (`"10"`) before all others and
 * by their number; where that is another order than the sent one, the sent one is kept here, beside the object.
 */
const sentOrders = new WeakMap<object, readonly string[]>();

const PLACE_NAME = /^(?:0|[1-9]\d{0,9})$/;

/** The names of an object in the order in which they were sent. */
export const namesOf = (object: object): readonly string[] => sentOrders.get(object) ?? Object.keys(object);

/** Whether JavaScript lists the names of an object in another order than the one in which they were sent. */
export const hasOrderOfItsOwn = (object: object): boolean => sentOrders.has(object);

/** Whether an object has a name that JavaScript may list at another place than the one at which it was sent. */
export function hasPlaceNames(object: object): boolean {
  for (const first in object) return PLACE_NAME.test(first);
  return false;
}

/** Keeps the order of the names of an object that does not change any more. @param names all of them, each once. */
export function keepOrder(object: object, names: readonly string[]): void {
  if (!hasPlaceNames(object)) return;
  if (Object.keys(object).some((name, at) => name !== names[at])) sentOrders.set(object, names);
}
