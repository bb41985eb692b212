import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandData, LogEvent } from '@parley/contracts';
import { describeMongo } from '@parley/testing';
import { v7 } from 'uuid';
import { Writer } from '../testing/log-writer';
import { patiently } from '../testing/patiently';
import {
  mongoConfig,
  openMongoTestLog,
  openPostgresTestLog,
  postgresConfig,
  type TestLog,
} from '../testing/test-log';
import { Loader } from './loader';
import type { LogStore } from './log.store';
import { LogOwner } from './owner';

const PARTITION = 3;
const MESSAGES = 60;

/** An instance that always believes itself the owner: when its term is lost it begins the next one at once. */
class Believer {
  private owner!: LogOwner;
  private term = 0;
  private beginning?: Promise<void>;

  constructor(
    private readonly store: LogStore,
    private readonly terms: { last: number },
  ) {}

  /** The term that is under way, or the next one. */
  begin(): Promise<void> {
    this.beginning ??= this.beginTerm().catch((error: unknown) => {
      this.beginning = undefined;
      throw error;
    });
    return this.beginning;
  }

  private async beginTerm(): Promise<void> {
    this.term = ++this.terms.last;
    this.owner = new LogOwner({
      store: this.store,
      loader: new Loader(this.store),
      clock: { monotonic: () => performance.now(), now: () => new Date().toISOString(), sleep },
      newId: v7,
      hash: (_command, data) => JSON.stringify(data),
      isLeaseValid: () => true,
      publish: () => undefined,
      onLost: () => (this.beginning = undefined),
    });
    const unserved = await this.owner.open(new Map([[PARTITION, this.term]]));
    if (unserved.size > 0) throw new Error('The log could not be read.');
  }

  async send(data: CommandData<'message.send'>): Promise<{ message: { id: string; number: number } }> {
    const address = { partition: PARTITION, term: this.term, expiresAt: performance.now() + 2_000 };
    return (await this.owner.submit('message.send', data, address)) as never;
  }

  end(): void {
    this.owner.drop(PARTITION);
  }
}

/** Two owners at once can slow each other, and nothing else. */
function describeRace(name: string, open: () => Promise<[TestLog, TestLog]>): void {
  it(`keeps one order, once each, while two owners race in ${name}`, async () => {
    const logs = await open();
    const writer = new Writer(PARTITION);
    const created = writer.created();
    // A repeat finds the place taken by the first.
    await patiently(() => logs[0].store.append([created]));
    const terms = { last: 1 };
    const owners = logs.map(({ store }) => new Believer(store, terms));
    const sendUntilAnswered = async (i: number) => {
      const data = {
        clientMessageId: `m${i}`,
        body: `m${i}`,
        format: 'plain' as const,
        mentions: [],
        attachments: [],
      };
      for (let attempt = i; ; attempt++) {
        const owner = owners[attempt % 2]!;
        try {
          await owner.begin();
          return await owner.send({ conversationId: writer.state.id, actorId: writer.alice, ...data });
        } catch {
          // Moved, or unavailable: the sender asks the other one.
        }
      }
    };
    const lanes = Array.from({ length: 6 }, async (_, lane) => {
      const replies = [];
      for (let i = lane; i < MESSAGES; i += 6) replies.push(await sendUntilAnswered(i));
      return replies;
    });
    const replies = (await Promise.all(lanes)).flat();

    const rows = await patiently(() => logs[0].store.read(PARTITION, 0, 1000));
    expect(rows.map(({ position }) => position)).toEqual(
      Array.from({ length: MESSAGES + 1 }, (_, i) => i + 1),
    );
    const events = rows
      .slice(1)
      .map(({ event }) => JSON.parse(event) as Extract<LogEvent, { message: unknown }>);
    expect(events.map(({ message }) => message.number)).toEqual(events.map((_, i) => i + 1));
    const stored = new Map(events.map(({ message }) => [message.id, message.number]));
    expect(new Map(replies.map(({ message }) => [message.id, message.number]))).toEqual(stored);
    const states = await patiently(() => logs[1].store.conversations([writer.state.id]));
    const state = states.get(writer.state.id);
    expect(state).toMatchObject({ version: MESSAGES + 1, messageCount: MESSAGES });
    for (const owner of owners) owner.end();
    for (const log of logs) await log.close();
  });
}

describe('two owners of a log', () => {
  describeRace('PostgreSQL', async () => {
    const config = await postgresConfig();
    return [await openPostgresTestLog(config), await openPostgresTestLog(config)];
  });
});

describeMongo('two owners of a log in MongoDB', () => {
  describeRace('MongoDB', async () => {
    const { config } = await mongoConfig();
    return [await openMongoTestLog(config), await openMongoTestLog(config)];
  });
});
