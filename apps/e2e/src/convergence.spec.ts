import type { Message } from '@parley/contracts';
import { interruptible, type Interruptible } from '@parley/testing';
import { anotherDevice, closeClients, connected, gatewayUrl, until, type Person } from './system/world';

/** A small deterministic generator: a failing run can be had again. */
function randoms(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

const PEOPLE = 4;
const ROUNDS = 60;

describe('a group whose members write, change and lose their lines', () => {
  let people: Person[];
  let lines: Interruptible[];
  beforeAll(async () => {
    lines = await Promise.all(Array.from({ length: PEOPLE }, () => interruptible(gatewayUrl())));
    people = await Promise.all(
      lines.map(({ url }, n) => connected(`member${n}`, { url, ackTimeoutMs: 3_000 })),
    );
  });
  afterAll(async () => {
    await closeClients();
    await Promise.all(lines.map((line) => line.close()));
  });

  it('looks the same to all of them in the end, and to a device that is new', async () => {
    const below = randoms(20_260_131);
    const [first] = people as [Person];
    const memberIds = people.slice(1).map(({ user }) => user.id);
    const { id } = await first.client.create({ type: 'group', title: 'Everybody', memberIds });
    for (const { client } of people)
      await until(client, () => client.store.conversation(id)?.current === true);

    const handed: Promise<Message>[] = [];
    const broken = new Set<number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const n = below(PEOPLE);
      const { client } = people[n]!;
      const known = client.store.messages(id).filter(({ deletedAt }) => deletedAt === undefined);
      const some = known[below(Math.max(1, known.length))];
      const own = known.filter(({ senderId }) => senderId === client.user!.id);
      const mine = own[below(Math.max(1, own.length))];
      switch (below(8)) {
        case 0:
          if (broken.delete(n)) await lines[n]!.restore();
          else {
            broken.add(n);
            await lines[n]!.cut();
          }
          break;
        case 1:
          // Refused without a connection, or for what was deleted meanwhile: both are no matter here.
          if (some) await client.react(some, below(2) ? '👍' : '🎉').catch(() => undefined);
          break;
        case 2:
          if (mine) await client.edit(mine, { body: `edited in round ${round}` }).catch(() => undefined);
          break;
        case 3:
          if (mine && below(3) === 0) await client.delete(mine).catch(() => undefined);
          break;
        default:
          handed.push(client.send({ conversationId: id, body: `round ${round} by ${n}` }).stored);
      }
    }
    for (const n of broken) await lines[n]!.restore();
    const stored = await Promise.all(handed);
    expect(stored.map(({ number }) => number).sort((a, b) => a - b)).toEqual(stored.map((_, n) => n + 1));

    const { conversation } = await first.client.api.getConversation({ params: { conversationId: id } });
    for (const { client } of people) {
      await until(client, () => {
        const view = client.store.conversation(id);
        return view?.current === true && view.version === conversation.version;
      });
    }
    const device = await anotherDevice(first);
    await device.connect();
    await until(device, () => device.store.conversation(id)?.version === conversation.version);
    const fresh = device.store.messages(id);
    expect(fresh).toHaveLength(stored.length);
    for (const { client } of people) expect(client.store.messages(id)).toEqual(fresh);
  });
});
