import type { ItemError } from '../../domain/batch/outcome.ts';
import { jsonText } from '../../domain/json/exact.ts';
import { quoted, shortened } from '../../domain/json/shortened.ts';
import type { JsonFlaw } from '../../domain/json/source.ts';
import { MAX_RESOURCE_BYTES } from '../../domain/limits.ts';
import { depthFault } from '../../domain/schema/compiler.ts';
import { fieldAt } from '../../domain/schema/json-pointer.ts';
import { sizeFault } from '../../domain/write/decide-writes.ts';
import { externalIdOf } from '../../domain/write/external-id.ts';
import type { JsonObject } from '../../domain/write/resource.ts';
import type { NewItem } from '../../store/items/item-pages.ts';

/**
 * A resource as an item of a batch. A fault of one resource fails only its item: the item is accepted with its fault.
 * @param text the JSON text that it was read from, if that is known.
 */
export function toItem(
  resource: JsonObject,
  externalIdField: string,
  flaw: JsonFlaw | undefined,
  text?: string,
): NewItem {
  const { externalId, faults } = externalIdOf(resource, externalIdField);
  const refused = (fault: ItemError): NewItem => ({ externalId, faults: [...faults, fault] });
  if (flaw !== undefined) {
    const field = fieldAt(flaw.path);
    // half of a character in an external id has a code of its own
    if (externalId === null && faults.some((fault) => fault.code === 'invalid_external_id' && fault.field === field))
      return { externalId, faults };
    return refused({ code: 'validation', message: `${quoted(field)} ${flaw.message}`, field: shortened(field) });
  }
  try {
    const body = text ?? jsonText(resource);
    return Buffer.byteLength(body) > MAX_RESOURCE_BYTES ? refused(sizeFault(resource)) : { externalId, faults, body };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refused(depthFault(resource));
  }
}
