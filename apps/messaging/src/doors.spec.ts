import { randomUUID } from 'node:crypto';
import { limits, type AccountPage, type ParleyError, type Problem } from '@parley/contracts';
import { accessTokenFor, until } from '@parley/testing';
import { Client } from 'pg';
import { World } from './testing/world';

describe('the doors of messaging', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.create('postgresql');
    await world.startInstance();
  });
  afterAll(() => world.close());

  interface Answer {
    status: number;
    body: Problem & { conversation: { id: string } };
  }

  async function ask(
    userId: string,
    method: string,
    path: string,
    { body, key }: { body?: object; key?: string } = {},
  ): Promise<Answer> {
    const response = await fetch(world.services[0]!.url + path, {
      method,
      headers: {
        authorization: `Bearer ${await accessTokenFor(userId)}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  const encoded = (text: string) => Buffer.from(text).toString('base64url');
  const noId = '-'.repeat(36);

  it.each([
    ['/v1/conversations', `2026-99-99T99:99:99.999Z ${randomUUID()}`],
    ['/v1/conversations', `0000-01-01T00:00:00.000Z ${randomUUID()}`],
    ['/v1/conversations', `2026-01-01T00:00:00.000Z ${noId}`],
    ['/v1/channels', `${randomUUID()} a\0`],
    ['/v1/channels', `${noId} a`],
  ])('%s refuses a cursor that it never gave: %j', async (path, cursor) => {
    expect(await ask(world.alice, 'GET', `${path}?cursor=${encoded(cursor)}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
  });

  it.each(['99999999999999999999', `1 99999999999999999999 ${randomUUID()}`, `1 1 ${noId}`, '1 1', ''])(
    'a sync refuses an account cursor that none gave: %j',
    async (text) => {
      const question = { userId: world.alice, cursor: encoded(text), limit: 10 };
      const outcome = () =>
        world.requester.query('messaging.account', question).then(
          () => 'answered',
          ({ code }: ParleyError) => code,
        );
      // On a machine with much else to do no answer may come in time.
      let said = '';
      await until('there is an answer', async () => (said = await outcome()) !== 'unavailable');
      expect(said).toBe('invalid_request');
    },
  );

  it.each([
    ['a blank in the address', { url: 'https://example.org/a b' }],
    ['a name that is shown backwards', { name: 'annex\u202egpj.exe' }],
    ['a name of two lines', { name: 'a\u2029b' }],
  ])('refuses an attachment with %s', async (_what, fields) => {
    const group = await world.group();
    const good = { url: 'https://example.org/a', name: 'a.txt', mimeType: 'text/plain', sizeBytes: 1 };
    const send = (attachment: object) =>
      ask(world.alice, 'POST', `/v1/conversations/${group}/messages`, {
        body: { clientMessageId: 'm', body: 'See there.', attachments: [attachment] },
      });
    expect(await send({ ...good, ...fields })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect((await send(good)).status).toBe(201);
  });

  it('refuses to search for what no title can have', async () => {
    const answer = await ask(world.alice, 'GET', '/v1/channels?query=%00');
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('takes no path that dots have led out of a reaction for that of its message', async () => {
    const group = await world.group();
    const { message } = await world.send(group, world.alice, 'm');
    const path = `/v1/conversations/${group}/messages/${message.id}/reactions/`;
    // Already here `fetch` makes `…/messages/M/` of it, escaped or not.
    for (const end of ['..', '%2E%2E']) {
      const answer = await ask(world.alice, 'DELETE', path + end);
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    for (const emoji of ['.', '..']) {
      const reaction = { conversationId: group, messageId: message.id, actorId: world.alice, emoji };
      await expect(
        world.requester.command('reaction.set', { ...reaction, present: true }),
      ).rejects.toMatchObject({ code: 'invalid_request' });
    }
    expect(await world.send(group, world.alice, 'm')).toEqual({ message, created: false });
  });

  it('names fewer conversations at once where their last messages are large, and then the others', async () => {
    const reader = randomUUID();
    const answered = async <T>(call: () => Promise<T>): Promise<T> => {
      let answer: { is: T } | undefined;
      // On a machine with much else to do no answer may come in time.
      await until('there is an answer', async () => {
        answer = await call().then(
          (is) => ({ is }),
          () => undefined,
        );
        return answer !== undefined;
      });
      return answer!.is;
    };
    const attachments = Array.from({ length: limits.messageAttachmentsMax }, (_, i) => ({
      url: `https://example.org/${i}/${'a'.repeat(1900)}`,
      name: '\u3042'.repeat(255),
      mimeType: 'text/plain',
      sizeBytes: 1,
    }));
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) {
      const conversationId = await world.group([reader]);
      ids.push(conversationId);
      await answered(() =>
        world.requester.command('message.send', {
          conversationId,
          actorId: world.alice,
          clientMessageId: 'large',
          body: '\u3042'.repeat(limits.messageBodyCharsMax),
          format: 'plain',
          mentions: [],
          attachments,
        }),
      );
    }
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null, isMore = true; isMore; pages++) {
      const question = { userId: reader, cursor, limit: 500 };
      const page: AccountPage = await answered(() => world.requester.query('messaging.account', question));
      expect(JSON.stringify(page).length).toBeLessThan(1_100_000);
      seen.push(...page.changes.map(({ conversationId }) => conversationId));
      cursor = page.cursor;
      isMore = page.more;
    }
    expect(pages).toBeGreaterThan(1);
    expect(seen.sort()).toEqual([...ids].sort());

    const joined = await answered(() => world.requester.query('messaging.join', { userId: reader }));
    expect(JSON.stringify(joined.conversations).length).toBeLessThan(1_100_000);
    expect(joined.conversations.length).toBeLessThan(ids.length);
    expect(joined.nextCursor).not.toBeNull();
    expect(joined.memberOf.sort()).toEqual([...ids].sort());
  });

  it('answers repeats, and nothing else, to somebody who is in as many conversations as anybody may be', async () => {
    const creator = randomUUID();
    const create = (key: string) =>
      ask(creator, 'POST', '/v1/conversations', { body: { type: 'group', title: 'Friends' }, key });
    const channel = async (title: string) => {
      const body = { type: 'channel', title, visibility: 'public' };
      const made = await ask(world.alice, 'POST', '/v1/conversations', { body, key: randomUUID() });
      return made.body.conversation.id;
    };
    const [joined, other] = [await channel('Joined'), await channel('Other')];
    const join = (id: string) => ask(creator, 'POST', `/v1/conversations/${id}/join`);
    const first = await create('first');
    expect([first.status, (await join(joined)).status]).toEqual([201, 200]);

    const database = new Client({ connectionString: world.databaseUrl });
    await database.connect();
    await database.query(
      `insert into messaging.memberships (user_id, conversation_id, role, joined_at, read_base)
       select $1, gen_random_uuid(), 'member', now(), 0 from generate_series(1, $2::integer)`,
      [creator, limits.userConversationsMax],
    );
    await database.end();

    expect(await create('first')).toMatchObject({
      status: 200,
      body: { conversation: { id: first.body.conversation.id } },
    });
    expect((await join(joined)).status).toBe(200);
    for (const refused of [await create('second'), await join(other)])
      expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });
});
