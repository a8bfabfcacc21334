import { DroverError } from './errors.ts';

/** What `openapi-fetch` makes of an answer. */
interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of a success, of a call of `client.http` that has one. @throws DroverError for every other answer. */
export async function bodyOf<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer.catch((cause: unknown) => {
    if (!(cause instanceof SyntaxError)) throw cause;
    // a proxy in front may answer with anything
    throw new DroverError({ status: null, message: 'the answer is no JSON: is the address that of Drover?', cause });
  });
  if (data === undefined) throw DroverError.ofAnswer(response, error);
  return data;
}

/** What the envelope of a success holds. @throws DroverError for every other answer. */
export const dataOf = async <T>(answer: Promise<Answer<{ data: T }>>): Promise<T> => (await bodyOf(answer)).data;

/** A signal as `fetch` takes it: absent where there is none. */
export const signalOf = ({ signal }: { readonly signal?: AbortSignal }): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };
