/** One step of a JSON pointer (RFC 6901), escaped. */
export function pointerStep(name: string | number): string {
  return `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Splits a JSON pointer into names. */
export function parsePointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** How a fault names a place in a resource: a top-level field by its name, a place below it by its JSON pointer. */
export function fieldAt(path: readonly (string | number)[]): string {
  const [first] = path;
  return path.length === 1 && first !== undefined ? String(first) : path.map(pointerStep).join('');
}
