import { operations, routes, type OperationId, type Problem, type Route } from '@parley/contracts';
import { answered, closeClients, connected, gatewayUrl, person, type Person } from './system/world';

afterAll(closeClients);

const NOBODY = '01890000-0000-7000-8000-000000000000';

function pathOf({ path }: Route): string {
  return path.replace('{emoji}', 'x').replace(/\{\w+\}/g, NOBODY);
}

describe('every HTTP operation', () => {
  let alice: Person;
  let token: string;
  beforeAll(async () => {
    alice = await person('alice');
    token = await alice.client.session.accessToken();
  });

  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(gatewayUrl() + path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });

  const all = Object.keys(routes) as OperationId[];
  // Those would end the session or the password of the suite itself.
  const harmless = all.filter((id) => !['logout', 'changePassword'].includes(id));

  it.each(harmless)('%s is there, and refuses what it does not know', async (id) => {
    const route: Route = routes[id];
    const takesBody = 'body' in operations[id];
    const response = await ask(pathOf(route), {
      method: route.method,
      ...(takesBody && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ unknownField: true }),
      }),
    });
    if (response.ok) return;
    const problem = (await response.json()) as Problem;
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({ status: response.status, requestId: expect.any(String) });
    expect(problem.detail).not.toBe('Nothing is here for this path and method.');
    expect(problem.code).toBe(takesBody ? 'invalid_request' : problem.code);
    expect(['invalid_request', 'not_found']).toContain(problem.code);
  });

  it.each(all.filter((id) => !('public' in routes[id])))('%s wants a token', async (id) => {
    const route: Route = routes[id];
    const response = await ask(pathOf(route), { method: route.method, headers: { authorization: '' } });
    expect(response.status).toBe(401);
    expect(((await response.json()) as Problem).code).toBe('unauthenticated');
    expect(response.headers.get('x-request-id')).toBeTruthy();
  });

  it('answers in the way the documents say, and the documents are served', async () => {
    const [openApi, asyncApi, page, limits] = await Promise.all(
      ['/docs/openapi.json', '/docs/asyncapi.json', '/docs', '/v1/limits'].map((path) =>
        fetch(gatewayUrl() + path),
      ),
    );
    const document = (await openApi!.json()) as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    const documented = Object.values(document.paths).flatMap((item) => Object.values(item));
    expect(documented.map(({ operationId }) => operationId).sort()).toEqual([...all].sort());
    expect(await asyncApi!.json()).toMatchObject({ asyncapi: '3.0.0' });
    expect(await page!.text()).toContain('/v1/conversations');
    expect(await limits!.json()).toMatchObject({ messageBodyCharsMax: expect.any(Number) });
  });

  it('refuses bodies that are too large or no JSON', async () => {
    const path = '/v1/conversations';
    const post = (body: string, type = 'application/json') =>
      ask(path, { method: 'POST', body, headers: { 'content-type': type } });
    const large = await post(JSON.stringify({ type: 'group', title: 'x'.repeat(1_000_000) }));
    expect(large.status).toBe(413);
    expect(((await large.json()) as Problem).code).toBe('payload_too_large');
    expect((await post('{"type":')).status).toBe(400);
    expect([400, 415]).toContain((await post('type=group', 'application/x-www-form-urlencoded')).status);
  });
});

describe('a path that dots lead out of', () => {
  it('is none of a reaction, and changes nothing above it', async () => {
    const [alice, bob] = await Promise.all([connected('alice'), person('bob')]);
    const { client } = alice;
    const conversation = await client.direct(bob.user.id);
    const params = { conversationId: conversation.id };
    const { message } = await client.api.sendMessage({
      params,
      body: { clientMessageId: 'dots', body: 'Stays' },
    });
    const token = await client.session.accessToken();
    for (const emoji of ['.', '..']) {
      await expect(client.react(message, emoji)).rejects.toMatchObject({ code: 'invalid_request' });
      const reaction = { params: { ...params, messageId: message.id, emoji } };
      await expect(client.api.addReaction(reaction)).rejects.toMatchObject({ code: 'invalid_request' });
      await expect(client.api.removeReaction(reaction)).rejects.toMatchObject({ code: 'invalid_request' });
      for (const escaped of [emoji, emoji.replaceAll('.', '%2E')]) {
        const path = `/v1/conversations/${conversation.id}/messages/${message.id}/reactions/${escaped}`;
        const response = await fetch(gatewayUrl() + path, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${token}` },
        });
        expect([response.status, response.headers.get('content-type')]).toEqual([
          404,
          expect.stringMatching(/^application\/problem\+json/),
        ]);
      }
    }
    const read = () =>
      client.api.getMessage({
        params: { ...params, messageId: message.id },
        query: { atLeast: message.version },
      });
    expect((await answered(read)).message).toEqual(message);
  });
});

describe('a conversation over HTTP alone', () => {
  it('is written, read in pages, and waited for', async () => {
    const [alice, bob] = await Promise.all([person('alice'), person('bob')]);
    const { conversation } = await alice.client.api.createConversation({
      body: { type: 'direct', memberIds: [bob.user.id] },
    });
    const params = { conversationId: conversation.id };
    let version = 0;
    for (let n = 1; n <= 7; n += 1) {
      const body = { clientMessageId: `h${n}`, body: `Number ${n}` };
      const { message } = await alice.client.api.sendMessage({ params, body });
      expect(message.number).toBe(n);
      version = message.version;
    }
    const numbers = async (query: Parameters<typeof bob.client.api.listMessages>[0]['query']) => {
      const read = () => bob.client.api.listMessages({ params, query: { ...query, atLeast: version } });
      const page = await answered(read);
      return {
        numbers: page.items.map(({ number }) => number),
        before: page.hasBefore,
        after: page.hasAfter,
      };
    };
    expect(await numbers({ limit: 3 })).toEqual({ numbers: [5, 6, 7], before: true, after: false });
    expect(await numbers({ limit: 3, before: 5 })).toEqual({ numbers: [2, 3, 4], before: true, after: true });
    expect(await numbers({ limit: 3, after: 1 })).toEqual({ numbers: [2, 3, 4], before: true, after: true });
    expect(await numbers({ limit: 3, around: 4 })).toEqual({ numbers: [3, 4, 5], before: true, after: true });
    expect((await numbers({ limit: 3, at: '2000-01-01T00:00:00.000Z' })).numbers).toContain(1);

    await expect(
      bob.client.api.listMessages({ params, query: { atLeast: version + 1 } }),
    ).rejects.toMatchObject({ code: 'unavailable' });

    const list = await bob.client.api.listConversations();
    expect(list.items[0]).toMatchObject({ id: conversation.id, messageCount: 7, unread: 7, readNumber: 0 });
    const synced = await bob.client.api.sync({
      body: { epoch: null, accountCursor: null, versions: { [conversation.id]: 0 } },
    });
    expect(synced.account.changes).toMatchObject([{ state: 'joined', conversationId: conversation.id }]);
  });
});
