import { randomUUID } from 'node:crypto';
import type { Conversation, PartitionRows } from '@parley/contracts';
import fc from 'fast-check';
import { LogWriter } from './log';

export type Step =
  | { kind: 'create'; type: Conversation['type']; users: number[] }
  | { kind: 'add' | 'remove'; conversation: number; user: number }
  | { kind: 'send'; conversation: number; user: number; mentions: number[] }
  | { kind: 'delete'; conversation: number };

const user = fc.nat({ max: 7 });
const conversation = fc.nat({ max: 3 });
export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('create' as const),
    type: fc.constantFrom('direct' as const, 'group' as const, 'channel' as const),
    users: fc.uniqueArray(user, { minLength: 2, maxLength: 8 }),
  }),
  {
    arbitrary: fc.record({ kind: fc.constantFrom('add' as const, 'remove' as const), conversation, user }),
    weight: 8,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      conversation,
      user,
      mentions: fc.uniqueArray(user, { maxLength: 3 }),
    }),
    weight: 16,
  },
  fc.record({ kind: fc.constant('delete' as const), conversation }),
);

/** Every story begins with one conversation of each kind. */
export const beginning: Step[] = [
  { kind: 'create', type: 'direct', users: [0, 1] },
  { kind: 'create', type: 'group', users: [0, 1, 2] },
  { kind: 'create', type: 'group', users: [0, 1, 2, 3, 4, 5, 6] },
  { kind: 'create', type: 'channel', users: [0, 1, 2, 3] },
];

/**
 * Plays the steps into a log of one partition, and says who must have what entry and who is where in the end. Specs only.
 *
 * @param smallMax groups of up to so many members get an entry for each message
 */
export function play(steps: Step[], partition: number, smallMax: number) {
  const log = new LogWriter();
  const people = Array.from({ length: 8 }, () => randomUUID());
  const person = (index: number) => people[index] as string;
  const alive: { id: string; type: Conversation['type']; members: Set<string> }[] = [];
  const entries: string[] = [];
  const suffix = partition.toString(16).padStart(6, '0');
  for (const one of steps) {
    if (one.kind === 'create') {
      if (alive.length === 4) continue;
      const members = one.users.map(person).slice(0, one.type === 'direct' ? 2 : 8);
      const id = log.create(one.type, members, `${randomUUID().slice(0, -6)}${suffix}`);
      alive.push({ id, type: one.type, members: new Set(members) });
      continue;
    }
    const target = alive[one.conversation];
    if (!target) continue;
    const { id, members } = target;
    if (one.kind === 'delete') {
      log.delete(id);
      alive.splice(one.conversation, 1);
    } else if (one.kind === 'send') {
      const sender = person(one.user);
      const mentions = one.mentions.map(person);
      const message = log.send(id, sender, mentions);
      const isSmall = target.type === 'direct' || (target.type === 'group' && members.size <= smallMax);
      for (const userId of members) {
        if (userId === sender) continue;
        if (mentions.includes(userId)) entries.push(`mention ${message.id} ${userId}`);
        else if (isSmall) entries.push(`message ${message.id} ${userId}`);
      }
    } else if (target.type !== 'direct' && members.has(person(one.user)) !== (one.kind === 'add')) {
      if (one.kind === 'add') members.add(person(one.user));
      else members.delete(person(one.user));
      log[one.kind](id, person(one.user));
    }
  }
  const memberships = alive.flatMap(({ id, members }) => [...members].map((userId) => `${id} ${userId}`));
  const batch: PartitionRows = { partition, rows: log.rows.get(partition) ?? [] };
  const living = new Set(alive.map(({ id }) => id));
  return { log, batch, entries: entries.sort(), memberships: memberships.sort(), living };
}
