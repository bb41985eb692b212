import type { LogEvent } from '@parley/contracts';
import { partitionOf } from '@parley/contracts';
import type { LogRow } from '../../log/log.store';
import { LogOwner } from '../../log/owner';
import { Reader, View } from './audience';
import { Authority } from './authority';
import { type Faults, Instance } from './instance';
import { Sender } from './sender';
import { MemoryLog } from './simulated.store';
import { Chance, VirtualTime } from './virtual-time';

export interface Run {
  log: MemoryLog;
  senders: Sender[];
  view: View;
  readers: Reader[];
  /** What happened, to tell an eventful run from a quiet one. */
  counts: Record<'crashes' | 'expired' | 'freezes' | 'rows' | 'tears' | 'unprojected', number>;
  /** Of each message, by `conversation/sender/clientMessageId`: when it arrived, and until when its asker waited. */
  asked: Map<string, { at: number; until: number }[]>;
  /** When each id was given away, which is when its message was decided. */
  decidedAt: Map<string, number>;
  /** When each message, by its id, was given to the log, every time. */
  givenAt: Map<string, number[]>;
}

const OPERATIONS = 14;
/** Of simulated time. Runs end within a fraction of it; one that is stuck should not cost as much as a hundred others. */
const LIMIT_MS = 60_000;
const HEADS_MS = 700;

/** Seeds take turns: half of them run on a log like PostgreSQL's, half on one like MongoDB's. */
function logOf(seed: number): MemoryLog {
  return new MemoryLog(seed % 2 === 0 ? 'whole' : 'torn');
}

/** One seeded life of a small system: senders, owners that crash and freeze, a log, a lossy network, a view, readers. */
export async function run(seed: number, log = logOf(seed), Owner = LogOwner): Promise<Run> {
  const chance = new Chance(seed);
  const time = new VirtualTime();
  let ids = 0;
  const newId = (last: number = ids++) => `00000000-0000-7000-8000-${last.toString(16).padStart(12, '0')}`;
  const people = [0, 1, 2].map((i) => newId(0xa00 + i));
  const conversations = [0x100, 0x101, 0x141].map((last) => newId(last));
  const partitions = [...new Set(conversations.map(partitionOf))];
  let isCalm = false;
  const loss = () => (isCalm ? 0 : 0.08);
  const counts = { crashes: 0, expired: 0, freezes: 0, rows: 0, tears: 0, unprojected: 0 };
  const asked: Run['asked'] = new Map();
  const decidedAt: Run['decidedAt'] = new Map();
  const givenAt: Run['givenAt'] = new Map();
  const faults: Faults = {
    unknown: 0.06,
    readFails: 0.05,
    tears: 0.06,
    unprojected: 0.03,
    happened: (fault) => (counts[fault] += 1),
  };

  const view = new View(log, time, chance, () => (isCalm ? 0 : 0.1), partitions);
  const readers = [0, 1, 2].map(() => new Reader(view));
  const publish = (rows: LogRow[]) => {
    counts.rows += rows.length;
    const batch = rows.map((row) => ({
      partition: row.partition,
      rows: [JSON.parse(row.event) as LogEvent],
    }));
    for (let copy = 0; copy < 2; copy++) {
      if (chance.is(copy === 0 ? loss() : 1 - loss())) continue;
      time.after(chance.below(60), () => view.sequencer.offer(batch));
    }
    for (const reader of readers) {
      for (const { rows: events } of batch) {
        if (!chance.is(loss())) time.after(chance.below(60), () => events.forEach((row) => reader.hear(row)));
      }
    }
  };

  const instances: Instance[] = [];
  const authority = new Authority(time, chance, partitions, () => instances);
  const spawn = () => {
    const instance: Instance = new Instance(`i${instances.length}`, log, time, chance, faults, {
      Owner,
      newId: () => {
        const id = newId();
        decidedAt.set(id, time.now);
        return id;
      },
      publish,
      appends: (rows) => {
        for (const { messageId, clientMessageId } of rows)
          if (clientMessageId !== null)
            givenAt.set(messageId!, [...(givenAt.get(messageId!) ?? []), time.now]);
      },
      arrived: (_, data, until) => {
        if (!('clientMessageId' in data)) return;
        const key = `${data.conversationId}/${data.actorId}/${data.clientMessageId}`;
        asked.set(key, [...(asked.get(key) ?? []), { at: time.now, until }]);
      },
      isLeaseValid: (partition) => authority.isValid(instance, partition),
    });
    instances.push(instance);
  };
  spawn();
  spawn();

  const others = people.slice(1);
  const senders = people.map((id) => new Sender(id, conversations, others, authority, time, chance, loss));
  const isOver = () => isCalm && senders.every((sender) => sender.isDone);
  authority.start(isOver);
  time.every(
    HEADS_MS,
    () => false,
    () => {
      for (const partition of partitions) view.sequencer.announce(partition, log.end(partition));
    },
  );
  time.every(
    400,
    () => isCalm,
    () => {
      const instance = chance.pick(instances);
      if (chance.is(0.2) && !instance.isDead) {
        instance.isDead = true;
        counts.crashes += 1;
        spawn();
      } else if (chance.is(0.3)) {
        // Shorter than a lease, longer than one, and much longer.
        instance.frozenUntil = time.now + chance.pick([300, 1700, 6000]);
        counts.freezes += 1;
      }
    },
  );

  for (const conversationId of conversations) await create(conversationId, people, authority, time);
  for (const sender of senders) void sender.write(OPERATIONS);
  time.after(6000, () => {
    isCalm = true;
    faults.unknown = 0;
    faults.readFails = 0;
    faults.tears = 0;
    faults.unprojected = 0;
  });
  await time.runUntil(isOver, LIMIT_MS);
  const isCaughtUp = () =>
    partitions.every((partition) => view.sequencer.position(partition) === log.end(partition));
  // Appends that were under way at the end may still arrive: a little more time settles them.
  const settledAt = time.now + 2000;
  await time.runUntil(() => time.now > settledAt && isCaughtUp(), LIMIT_MS);
  await log.catchUp(partitions);
  for (const reader of readers) for (const id of conversations) reader.catchUp(id, true);
  return { log, senders, view, readers, counts, asked, decidedAt, givenAt };
}

/** A conversation with everybody in it, whatever it takes. */
async function create(
  conversationId: string,
  people: string[],
  authority: Authority,
  time: VirtualTime,
): Promise<void> {
  const partition = partitionOf(conversationId);
  const data = {
    conversationId,
    actorId: people[0]!,
    type: 'group' as const,
    title: 'first',
    topic: null,
    visibility: 'private' as const,
    memberIds: people.slice(1),
    requestHash: conversationId,
  };
  let isThere = false;
  let isAsking = false;
  const ask = async () => {
    const owner = authority.holder(partition);
    if (!owner || isAsking) return;
    isAsking = true;
    try {
      await Promise.race([
        owner.instance.submit('conversation.create', data, partition, owner.term, 2000),
        time.sleep(2000).then(() => Promise.reject(new Error('late'))),
      ]);
      isThere = true;
    } catch {
      // Asked again in a moment.
    }
    isAsking = false;
  };
  time.every(
    50,
    () => isThere,
    () => void ask(),
  );
  await time.runUntil(() => isThere, LIMIT_MS);
}
