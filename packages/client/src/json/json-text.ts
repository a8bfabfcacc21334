/**
 * A resource as JSON text, which is sent as it is. `JSON.parse` rounds integers beyond 2^53 without a word; a program that passes
 * on the lines of a file sends them in this form, and the service sees every digit.
 */
export class JsonText {
  readonly text: string;

  /** @param text one JSON object; not checked here: the service refuses what is none. */
  constructor(text: string) {
    this.text = text;
  }
}

const textOf = (value: object): string => (value instanceof JsonText ? value.text : JSON.stringify(value));

/** The text of a resource. */
export const toJsonText = (resource: object): JsonText =>
  resource instanceof JsonText ? resource : new JsonText(JSON.stringify(resource));

/** The body of an upload or patch. */
export const resourcesBody = (resources: readonly object[]): string =>
  `{"resources":[${resources.map(textOf).join(',')}]}`;
