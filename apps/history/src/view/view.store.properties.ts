import { randomUUID } from 'node:crypto';
import { PARTITIONS, type PartitionRows } from '@parley/contracts';
import fc from 'fast-check';
import { SyncService } from '../sync/sync.service';
import { LogWriter } from '../testing/log';
import { SyncClient } from '../testing/sync.client';
import type { OpenStore } from './view.store.contract';
import { soundRows } from './view.store.contract';

const [alice, bob, carol, dave] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const people = [bob, carol, dave];

/** What happens in a log: interpreted against what is there, so that every list of them is a possible log. */
const step = fc.record({
  kind: fc.constantFrom(
    'create',
    'send',
    'send',
    'send',
    'edit',
    'react',
    'pin',
    'delete',
    'rename',
    'add',
    'role',
    'remove',
    'add',
    'role',
    'remove',
    'drop',
  ),
  conversation: fc.nat(3),
  pick: fc.nat(99),
});

/** What the feed and the clients do meanwhile. */
const turn = fc.record({
  steps: fc.array(step, { maxLength: 24 }),
  /** Rows are stored in pieces of this many, of the partitions in this order. */
  piece: fc.integer({ min: 1, max: 7 }),
  order: fc.nat(),
  /** So many rows before the stored positions come again. */
  again: fc.nat(5),
  /** Old rows come alone, from an instance that does not know yet that another one has taken over. */
  echo: fc.nat(),
  /** Which client syncs after the turn, with which limit. */
  client: fc.nat(2),
  limit: fc.integer({ min: 1, max: 9 }),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function write(log: LogWriter, conversations: string[], { kind, conversation, pick }: Step): void {
  const id = conversations[conversation % Math.max(1, conversations.length)];
  if (kind === 'create' || id === undefined) {
    const type = (['group', 'channel', 'direct'] as const)[pick % 3] ?? 'group';
    conversations.push(log.create(type, type === 'direct' ? [alice, bob] : [alice, bob, carol]));
    return;
  }
  const { messages, deleted, conversation: shared } = log.of(id);
  if (deleted) return;
  const person = people[pick % people.length] ?? bob;
  const number = messages.size === 0 ? 0 : 1 + (pick % messages.size);
  if (kind === 'send') log.send(id, alice, `message ${pick}`);
  else if (kind === 'drop') {
    // Rarely: most logs are to grow.
    if (pick < 10) log.deleteConversation(id);
  } else if (['edit', 'react', 'pin', 'delete'].includes(kind)) {
    if (number === 0) return;
    if (kind === 'edit') log.edit(id, number, `edit ${pick}`);
    if (kind === 'react') log.react(id, number, '👍', person);
    if (kind === 'pin') log.pin(id, number, pick % 2 === 0);
    if (kind === 'delete') log.deleteMessage(id, number);
  } else if (kind === 'rename') log.rename(id, `title ${pick}`);
  else if (shared.type !== 'direct') {
    if (kind === 'add') log.addMember(id, person);
    if (kind === 'role') log.setRole(id, person, pick % 2 === 0 ? 'admin' : 'member');
    if (kind === 'remove') log.removeMember(id, person);
  }
}

/** Cuts rows into batches as they may reach a store: rising per partition, any order between partitions. */
function cut(parts: PartitionRows[], piece: number, order: number): PartitionRows[][] {
  const rotated = parts.map((_, i) => parts[(i + order) % parts.length]).filter((part) => part !== undefined);
  const batches: PartitionRows[][] = [];
  for (let from = 0; rotated.some(({ rows }) => rows.length > from); from += piece) {
    batches.push(
      rotated
        .map(({ partition, rows }) => ({ partition, rows: rows.slice(from, from + piece) }))
        .filter(({ rows }) => rows.length > 0),
    );
  }
  return batches;
}

/**
 * Convergence, whatever the way: what every store must keep.
 *
 * @param numRuns how many random logs
 */
export function describeViewProperties(open: () => Promise<OpenStore>, numRuns: number): void {
  let store: OpenStore;
  beforeAll(async () => {
    store = await open();
  });

  it('state of a stale client + sync = state of a fresh one = the truth', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 5 }), async (turns) => {
        const { feed, view } = store;
        const epoch = randomUUID();
        const positions = await feed.load([...Array(PARTITIONS).keys()], epoch);
        const log = new LogWriter();
        const conversations: string[] = [];
        const memberOf = async (userId: string, ids: string[]) =>
          new Set(ids.filter((id) => log.of(id).members.has(userId)));
        const known = async () => epoch;
        const service = new SyncService(
          view,
          { memberOf } as never,
          { current: known, confirm: known } as never,
        );
        const sync = async (client: SyncClient, limit: number) =>
          client.apply(
            await service.sync({ userId: alice, epoch: client.epoch, versions: client.versions(), limit }),
          );

        const clients = [new SyncClient(), new SyncClient(), new SyncClient()];
        for (const client of clients) client.epoch = epoch;
        for (const { steps, piece, order, again, echo, client: index, limit } of turns) {
          for (const one of steps) write(log, conversations, one);
          const from = new Map([...positions].map(([p, position]) => [p, Math.max(0, position - again)]));
          for (const batch of cut(log.after(from), piece, order)) {
            await feed.apply(soundRows(batch), [], epoch);
          }
          const late = log.all().map(({ partition, rows }) => {
            const start = echo % rows.length;
            return { partition, rows: rows.slice(start, start + piece) };
          });
          await feed.apply(soundRows(late), [], epoch);
          for (const { partition, rows } of log.all()) positions.set(partition, rows.length);
          const client = clients[index];
          if (!client) continue;
          for (const id of conversations) if (!client.removed.has(id)) client.hold(id);
          await sync(client, limit);
        }

        const fresh = new SyncClient();
        fresh.epoch = epoch;
        for (const client of [...clients, fresh]) {
          for (const id of conversations) if (!client.removed.has(id)) client.hold(id);
          for (let before = ''; before !== JSON.stringify(client.versions());) {
            before = JSON.stringify(client.versions());
            await sync(client, 3);
          }
          expect(seenBy(client, log)).toEqual(truthOf(log, conversations));
        }
        expect(await feed.load([...positions.keys()], epoch)).toEqual(positions);
      }),
      { numRuns },
    );
  });
}

/** What a client must hold. Members of channels are paged, so neither they nor their number belong to it. */
function truthOf(log: LogWriter, conversations: string[]) {
  const alive = conversations.filter((id) => !log.of(id).deleted);
  return Object.fromEntries(
    alive.map((id) => {
      const { conversation, messages, members } = log.of(id);
      const { version, messageCount: _, ...shared } = conversation;
      return [id, { version, messages, ...comparable(shared, members) }];
    }),
  );
}

function seenBy(client: SyncClient, log: LogWriter) {
  return Object.fromEntries(
    [...client.held].map(([id, held]) => {
      const { version: _, messageCount: __, ...shared } = held.conversation ?? log.of(id).conversation;
      const { version, messages } = held;
      return [
        id,
        {
          version,
          messages: new Map([...messages].sort(([a], [b]) => a - b)),
          ...comparable(shared, held.members),
        },
      ];
    }),
  );
}

function comparable<M>(shared: { type: string; memberCount: number }, members: Map<string, M>) {
  if (shared.type !== 'channel') return { shared, members: new Map([...members].sort()) };
  const { memberCount: _, ...rest } = shared;
  return { shared: rest, members: undefined };
}
