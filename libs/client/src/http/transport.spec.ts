import { routes } from '@parley/contracts';
import { HttpTransport } from './transport';

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

test('asks for no other path than the one that is meant', async () => {
  const path = 'http://gateway/v1/conversations/c/messages/m/reactions/';
  expect(await outcomeOf(Response.json({}), { emoji: '../#?%' })).toEqual([{}, `${path}..%2F%23%3F%25`]);
  for (const params of [{ emoji: '..' }, { emoji: '.' }, { emoji: '' }, { messageId: '..' }])
    expect(await outcomeOf(Response.json({}), params)).toMatchObject({ code: 'invalid_request' });
});
