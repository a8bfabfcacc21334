/** Between workflow type and task queue: every definition has version 1. */
const VERSION = ':1:';

/** A definition id is `{workflowType}:1:{taskQueue}`. */
export const definitionId = (workflowType: string, taskQueue: string): string =>
  `${workflowType}${VERSION}${taskQueue}`;

/** The possible readings of a definition id: type and task queue may contain the separator themselves. */
export function* readDefinitionId(id: string): Generator<{ workflowType: string; taskQueue: string }> {
  for (let at = id.indexOf(VERSION); at >= 0; at = id.indexOf(VERSION, at + 1)) {
    yield { workflowType: id.slice(0, at), taskQueue: id.slice(at + VERSION.length) };
  }
}

/** The number of ways in which a definition id can be read. */
export const readingsOf = (id: string): number => [...readDefinitionId(id)].length;
