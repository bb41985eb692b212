import { ParleyError, routes } from '@parley/contracts';
import { ForeignAnswer, HttpTransport } from './transport';

/** What comes of a call that is answered so. */
async function outcomeOf(response: Response, params?: object): Promise<unknown> {
  const asked: string[] = [];
  const transport = new HttpTransport(
    'http://gateway',
    async (url) => {
      asked.push(url);
      return response;
    },
    1_000,
  );
  return transport
    .send(routes.removeReaction, { params: { conversationId: 'c', messageId: 'm', emoji: 'x', ...params } })
    .then(
      (value) => [value, ...asked],
      (error: unknown) => error,
    );
}

const page = (status: number) =>
  new Response('<html>Sign in first</html>', { status, headers: { 'content-type': 'text/html' } });

test('tells what the server refuses from what something between it and us does', async () => {
  const problem = { code: 'not_found', detail: 'There is no such message.' };
  const own = await outcomeOf(Response.json(problem, { status: 404 }));
  expect(own).toMatchObject({ code: 'not_found', message: problem.detail });
  expect(own).not.toBeInstanceOf(ForeignAnswer);
  for (const [status, code] of [
    [401, 'unauthenticated'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [502, 'unavailable'],
  ] as const) {
    const foreign = await outcomeOf(page(status));
    expect(foreign).toBeInstanceOf(ForeignAnswer);
    expect(foreign).toMatchObject({ code });
  }
});

test('an answer that cannot be read is none', async () => {
  const error = await outcomeOf(page(200));
  expect(error).toBeInstanceOf(ParleyError);
  expect(error).toMatchObject({ code: 'unavailable' });
});

test('asks for no other path than the one that is meant', async () => {
  const path = 'http://gateway/v1/conversations/c/messages/m/reactions/';
  expect(await outcomeOf(Response.json({}), { emoji: '../#?%' })).toEqual([{}, `${path}..%2F%23%3F%25`]);
  for (const params of [{ emoji: '..' }, { emoji: '.' }, { emoji: '' }, { messageId: '..' }])
    expect(await outcomeOf(Response.json({}), params)).toMatchObject({ code: 'invalid_request' });
});

describe('where the platform is older', () => {
  const { any, timeout } = AbortSignal;
  const size = Object.getOwnPropertyDescriptor(URLSearchParams.prototype, 'size')!;
  beforeEach(() => {
    // Safari before 17 has no `size`, before 17.4 no `any`, React Native neither of the signals.
    Object.assign(AbortSignal, { any: undefined, timeout: undefined });
    Object.defineProperty(URLSearchParams.prototype, 'size', { ...size, get: () => undefined });
  });
  afterEach(() => {
    Object.assign(AbortSignal, { any, timeout });
    Object.defineProperty(URLSearchParams.prototype, 'size', size);
  });

  /** Never answers, as long as it may wait. */
  const silent = (_: string, { signal }: RequestInit) =>
    new Promise<Response>((_, reject) => {
      const end = () => reject(signal!.reason as Error);
      if (signal!.aborted) end();
      else signal!.addEventListener('abort', end);
    });

  it('sends what a query says', async () => {
    const asked: string[] = [];
    const answer = async (url: string) => (asked.push(url), Response.json({}));
    const parts = { params: { conversationId: 'c' }, query: { before: 7, limit: undefined } };
    await new HttpTransport('http://gateway', answer, 1_000).send(routes.listMessages, parts);
    expect(asked).toEqual(['http://gateway/v1/conversations/c/messages?before=7']);
  });

  it('gives up in time, and when it is told to', async () => {
    const error = new HttpTransport('http://gateway', silent, 10).send(routes.getMe, {});
    await expect(error).rejects.toMatchObject({ name: 'ParleyError', code: 'unavailable' });
    const [controller, over] = [new AbortController(), new Error('Enough.')];
    const { signal } = controller;
    const patient = new HttpTransport('http://gateway', silent, 60_000);
    const given = patient.send(routes.getMe, { signal });
    controller.abort(over);
    await expect(given).rejects.toBe(over);
    await expect(patient.send(routes.getMe, { signal })).rejects.toBe(over);
  });
});
