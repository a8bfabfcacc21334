/** A route as Hono lists it: `/api/batches/:batchId`. */
interface AddedRoute {
  readonly method: string;
  readonly path: string;
}

/** @returns gives the methods that a path has; none if there is nothing at it. */
export function allowedMethods(routes: readonly AddedRoute[]): (path: string) => string[] {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const methods = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(methods)].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).sort();
  };
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')}$`);
