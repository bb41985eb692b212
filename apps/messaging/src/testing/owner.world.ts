import type { CommandData, CommandName, LogEvent } from '@parley/contracts';
import { partitionOf } from '@parley/contracts';
import { v7 } from 'uuid';
import { Loader } from '../log/loader';
import type { LogStore } from '../log/log.store';
import { LogOwner, type OwnerOptions } from '../log/owner';

export const [alice, bob] = [v7(), v7()];

/** Each pause of an owner is as long as this, but for those of a second and more. */
const aTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Lets an owner go on until it waits for somebody. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await aTurn();
}

/** Ids of conversations in as many different partitions. */
export function apart(count: number): string[] {
  const found = new Map<number, string>();
  while (found.size < count) {
    const id = v7();
    found.set(partitionOf(id), id);
  }
  return [...found.values()];
}

export type Reply = { message: { id: string; number: number }; created: boolean };

/**
 * One owner of the partitions of some groups of alice and bob, under term 1. Its clock is the machine's, and as far ahead of
 * that as `clock.aheadMs` says; its lease is valid while `lease.isValid`. Pauses of a second and more end with `wake`.
 */
export async function ownerWorld(
  store: LogStore,
  conversations: string[],
  options: Pick<OwnerOptions, 'conversationBytesMax' | 'onRead'> = {},
) {
  const clock = { aheadMs: 0 };
  const lease = { isValid: true };
  const unread: unknown[] = [];
  const doubts: unknown[] = [];
  const lost: { partition: number; term: number }[] = [];
  const published: LogEvent[] = [];
  const now = () => performance.now() + clock.aheadMs;
  const asleep: (() => void)[] = [];
  const sleep = (ms: number) => (ms < 1000 ? aTurn() : new Promise<void>((end) => asleep.push(end)));
  const wake = async () => {
    for (const end of asleep.splice(0)) end();
    await turns();
  };
  const owner = new LogOwner({
    store,
    loader: new Loader(store),
    clock: { monotonic: now, now: () => new Date().toISOString(), sleep },
    newId: () => v7(),
    hash: (_command, data) => JSON.stringify(data),
    isLeaseValid: () => lease.isValid,
    publish: (rows) => published.push(...rows.map(({ event }) => JSON.parse(event) as LogEvent)),
    onLost: (partition, term) => lost.push({ partition, term }),
    onDoubt: (error) => doubts.push(error),
    onUnread: (error) => unread.push(error),
    ...options,
  });
  const submit = (conversationId: string, name: CommandName, data: object, leftMs = 60_000, term = 1) =>
    owner.submit(name, { conversationId, ...data } as CommandData<CommandName>, {
      partition: partitionOf(conversationId),
      term,
      expiresAt: now() + leftMs,
    });
  const send = (conversationId: string, clientMessageId: string, leftMs?: number, term?: number) => {
    const message = { body: clientMessageId, format: 'plain', mentions: [], attachments: [] };
    const data = { actorId: bob, clientMessageId, ...message };
    return submit(conversationId, 'message.send', data, leftMs, term) as Promise<Reply>;
  };
  await owner.open(new Map(conversations.map((id) => [partitionOf(id), 1])));
  for (const id of conversations)
    await submit(id, 'conversation.create', {
      actorId: alice,
      type: 'group',
      title: null,
      topic: null,
      visibility: 'private',
      memberIds: [bob],
      requestHash: id,
    });
  return { owner, clock, lease, unread, doubts, lost, published, submit, send, wake };
}

/** What a promise comes to, as a value: its error, where it has one. */
export function outcomeOf<T>(promise: Promise<T>): Promise<T | Error> {
  return promise.catch((error: Error) => error);
}
