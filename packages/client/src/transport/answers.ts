import { DroverError } from '../errors.ts';

/** The result of a call of `openapi-fetch`. */
interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of a success, of a call of `client.http` that has one. @throws DroverError for every other answer. */
export async function bodyOf<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer.catch((cause: unknown) => {
    if (!(cause instanceof SyntaxError)) throw cause;
    // a proxy in front of the API may send any answer
    throw new DroverError({ status: null, message: 'the answer is no JSON: is the address that of Drover?', cause });
  });
  if (data === undefined) throw DroverError.ofAnswer(response, error);
  return data;
}

/** The data in the envelope of a success. @throws DroverError for every other answer. */
export const dataOf = async <T>(answer: Promise<Answer<{ data: T }>>): Promise<T> => (await bodyOf(answer)).data;

/** A signal in the form that `fetch` takes: absent if there is none. */
export const signalOf = ({ signal }: { readonly signal?: AbortSignal }): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };
