import type { Problem } from '@parley/contracts';
import { accessTokenFor } from '@parley/testing';
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
});
