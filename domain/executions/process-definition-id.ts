/** Between workflow type and task queue: every definition has version 1. */
const VERSION = ':1:';

/** A definition id is `{workflowType}:1:{taskQueue}`. */
export const definitionId = (workflowType: string, taskQueue: string): string =>
  `${workflowType}${VERSION}${taskQueue}`;

/** What a definition id may mean: type and task queue may hold the separator themselves. */
export function* readDefinitionId(id: string): Generator<{ workflowType: string; taskQueue: string }> {
  for (let at = id.indexOf(VERSION); at >= 0; at = id.indexOf(VERSION, at + 1)) {
    yield { workflowType: id.slice(0, at), taskQueue: id.slice(at + VERSION.length) };
  }
}

/** In how many ways a definition id can be read. */
export const readingsOf = (id: string): number => [...readDefinitionId(id)].length;
