import { partitionOf } from '@parley/contracts';
import { isBackingServiceAway } from '@parley/service';
import { describeMongo, interruptible, type Interruptible } from '@parley/testing';
import * as fc from 'fast-check';
import { Writer } from '../testing/log-writer';
import { patiently } from '../testing/patiently';
import {
  mongoConfig,
  openMongoTestLog,
  openPostgresTestLog,
  postgresConfig,
  type TestLog,
} from '../testing/test-log';
import type { LogRow, LogStore, Tail } from './log.store';
import { ClientIdTaken, PositionTaken } from './log.store';

/** Rows of one partition in one append: a slow server must be able to end it in its time, or it is begun anew for ever. */
const APPEND_MAX = 12;

/** A log whose lines can be cut; whoever opens it again is the next owner. */
interface CutLog {
  lines: Interruptible[];
  open(): Promise<TestLog>;
}

const step = fc.record({
  /** Rows to append to each of three partitions. */
  counts: fc.tuple(fc.nat(10), fc.nat(10), fc.nat(40)),
  cut: fc.option(fc.record({ line: fc.nat(1), afterMs: fc.nat(25) })),
});

/**
 * Whatever is cut whenever: each message is in the log once in the end, the acknowledged ones where they were
 * acknowledged, dense and in the order of their positions, and the projection says the same.
 */
function describeCuts(name: string, create: () => Promise<CutLog>): void {
  it(`loses, doubles and reorders nothing in ${name} when its line is cut`, async () => {
    const { lines, open } = await create();
    let partitions = [0, 1, 2];
    let log = await open();
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 5 }), async (steps) => {
          const writers = partitions.map((partition) => new Writer(partition));
          partitions = partitions.map((partition) => partition + 3);
          const ledger = new Ledger(writers);
          for (const { counts, cut } of steps) {
            ledger.add(counts);
            const line = cut && lines[cut.line % lines.length]!;
            const cutting = line && delay(cut.afterMs).then(() => line.cut());
            await ledger.append(log).catch((error: unknown) => {
              if (!cutting && !isBackingServiceAway(error)) throw error;
            });
            if (!cutting) continue;
            await cutting;
            await log.close();
            await line.restore();
            log = await open();
          }
          await patiently(async () => {
            while (ledger.pending > 0) await ledger.append(log);
          });
          await patiently(() => ledger.verify(log));
        }),
        { numRuns: 5, endOnFailure: true },
      );
    } finally {
      await log.close();
      await Promise.all(lines.map((line) => line.close()));
    }
  });
}

/** What was sent, what of it is acknowledged, and where. */
class Ledger {
  private readonly waiting = new Map<Writer, string[]>();
  private readonly acknowledged: LogRow[] = [];
  private ids = 0;

  constructor(private readonly writers: Writer[]) {
    for (const writer of writers) this.waiting.set(writer, []);
  }

  get pending(): number {
    return [...this.waiting.values()].reduce((sum, ids) => sum + ids.length, 0);
  }

  add(counts: number[]): void {
    counts.forEach((count, i) => {
      for (let n = 0; n < count; n++) this.waiting.get(this.writers[i]!)!.push(`m${this.ids++}`);
    });
  }

  /** What waits, behind the tail, as an owner does who has just read it. */
  async append({ store }: TestLog): Promise<void> {
    const tails = await store.catchUp(this.writers.map(({ partition }) => partition));
    for (const writer of this.writers) await this.readBack(store, writer);
    const rows = this.writers.flatMap((writer) => {
      const { position } = tails.get(writer.partition) as Tail;
      writer.standAt(position);
      const first = position === 0 ? [writer.created()] : [];
      return [
        ...first,
        ...this.waiting
          .get(writer)!
          .slice(0, APPEND_MAX)
          .map((id) => writer.sent(id)),
      ];
    });
    const shortfalls = await store.append(rows);
    for (const writer of this.writers) {
      const mine = rows.filter(({ partition }) => partition === writer.partition);
      const { stored = mine.length, reason } = shortfalls.get(writer.partition) ?? {};
      for (const row of mine.slice(0, stored)) this.settle(writer, row);
      writer.standAt(mine[0] ? mine[0].position - 1 + stored : writer.position);
      // Of an append without an answer more can be stored than was there when the tail was read.
      if (reason instanceof ClientIdTaken) this.drop(writer, reason.clientMessageId);
      else if (reason !== undefined) expect(reason).toBeInstanceOf(PositionTaken);
    }
  }

  async verify({ store }: TestLog): Promise<void> {
    const tails = await store.catchUp(this.writers.map(({ partition }) => partition));
    const states = await store.conversations(this.writers.map(({ state }) => state.id));
    for (const { partition, state } of this.writers) {
      const { position } = tails.get(partition) as Tail;
      const stored = await store.read(partition, 0, 10_000);
      expect(stored.map((row) => row.position)).toEqual(Array.from({ length: position }, (_, i) => i + 1));
      const ids = stored.slice(1).map(({ event }) => (JSON.parse(event) as Sent).message.clientMessageId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const row of this.acknowledged.filter((each) => partitionOf(each.conversationId) === partition))
        expect(stored[row.position - 1]?.event).toBe(row.event);
      if (position === 0) continue;
      const last = JSON.parse(stored.at(-1)!.event) as Sent | { message: undefined };
      expect(states.get(state.id)).toMatchObject({
        version: position,
        messageCount: position - 1,
        lastMessageId: last.message?.id ?? null,
      });
    }
    const total = [...tails.values()].reduce((sum, tail) => sum + (tail as Tail).position, 0);
    const created = [...tails.values()].filter((tail) => (tail as Tail).position > 0).length;
    expect(total).toBe(this.ids + created);
  }

  /** What was stored without an answer. */
  private async readBack(store: LogStore, writer: Writer): Promise<void> {
    const stored = await store.read(writer.partition, writer.position, 10_000);
    const ids = new Set(
      stored.map(({ event }) => (JSON.parse(event) as Partial<Sent>).message?.clientMessageId),
    );
    this.waiting.set(
      writer,
      this.waiting.get(writer)!.filter((id) => !ids.has(id)),
    );
  }

  private settle(writer: Writer, row: LogRow): void {
    this.acknowledged.push(row);
    if (row.clientMessageId !== null) this.drop(writer, row.clientMessageId);
  }

  private drop(writer: Writer, id: string): void {
    this.waiting.set(
      writer,
      this.waiting.get(writer)!.filter((each) => each !== id),
    );
  }
}

interface Sent {
  message: { id: string; clientMessageId: string };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('an append that is cut off', () => {
  describeCuts('PostgreSQL', async () => {
    const config = await postgresConfig();
    const line = await interruptible(config.DATABASE_URL);
    return { lines: [line], open: () => openPostgresTestLog({ ...config, DATABASE_URL: line.url }) };
  });
});

describeMongo('an append to MongoDB that is cut off', () => {
  describeCuts('MongoDB', async () => {
    const { config } = await mongoConfig();
    const lines = [await interruptible(config.MONGODB_URL), await interruptible(config.DATABASE_URL)];
    const [{ url: MONGODB_URL }, { url: DATABASE_URL }] = lines as [Interruptible, Interruptible];
    return { lines, open: () => openMongoTestLog({ ...config, MONGODB_URL, DATABASE_URL }) };
  });
});
