import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Publisher } from '@parley/broker';
import { controlKeys, exchanges, laneOf, type DigestEnvelope, type EventEnvelope } from '@parley/contracts';
import { getLogger } from '@parley/service';
import { freshVhost } from '@parley/testing';
import { v7 } from 'uuid';
import { Writer } from '../testing/log-writer';
import { LogPublisher } from './log.publisher';

const CONVERSATIONS = 12_001;
const WINDOW_MS = 30_000;

describe('what an owner tells of what is stored', () => {
  const options = { service: 'messaging', instanceId: randomUUID(), logger: getLogger('Broker') } as const;
  let broker: Broker;
  beforeAll(async () => {
    broker = new Broker({ url: await freshVhost(), ...options });
    broker.start();
    await broker.whenConnected();
  });
  afterAll(() => broker.stop());

  it('is told whole, however much an append brought, in envelopes that a broker takes', async () => {
    const writer = new Writer(1);
    const rows = Array.from({ length: 30 }, (_, i) => writer.sent(`${i}`, '\u3042'.repeat(200_000)));
    const heard: number[] = [];
    let consumed!: () => void;
    const end = new Promise<string>((resolve) => {
      consumed = () => resolve('all are heard');
      broker.on('disconnected', () => resolve('the connection is lost'));
    });
    await broker.onConnection(async (connection) => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, exchanges.events.name, `lane.${laneOf(writer.partition)}`);
      await channel.consume(queue, (message) => {
        const envelope = JSON.parse(message!.content.toString()) as EventEnvelope;
        for (const { position } of envelope.partitions.flatMap((part) => part.rows)) heard.push(position);
        if (heard.length >= rows.length) consumed();
      });
    });
    new LogPublisher(new Publisher(broker), randomUUID(), () => new Map()).publish(rows);
    expect(await end).toBe('all are heard');
    expect(heard).toEqual(rows.map(({ position }) => position));
  });
});

describe('what an owner tells of the conversations that changed lately', () => {
  const epoch = randomUUID();
  const clock = { now: 0 };
  let broker: Broker;
  let events: LogPublisher;
  let hear: (digest: DigestEnvelope) => void;
  beforeAll(async () => {
    const options = { service: 'messaging', instanceId: randomUUID(), logger: getLogger('Broker') } as const;
    broker = new Broker({ url: await freshVhost(), ...options });
    new ControlInbox(broker).on(controlKeys.digest, (body) => hear(body as DigestEnvelope));
    events = new LogPublisher(
      new Publisher(broker),
      epoch,
      () => new Map(),
      () => clock.now,
    );
    broker.start();
    await broker.whenConnected();
  });
  afterAll(() => broker.stop());

  /** What is told until so many conversations are. */
  function told(conversations: number): Promise<DigestEnvelope[]> {
    const digests: DigestEnvelope[] = [];
    let count = 0;
    return new Promise((resolve) => {
      hear = (digest) => {
        digests.push(digest);
        count += Object.keys(digest.versions).length;
        if (count >= conversations) resolve(digests);
      };
    });
  }

  const row = new Writer(1).sent('a');
  const change = (versions: [id: string, version: number][]) =>
    events.publish(versions.map(([conversationId, version]) => ({ ...row, conversationId, version })));

  it('is all of them, in envelopes that a broker takes', async () => {
    const versions = Array.from({ length: CONVERSATIONS }, (_, i): [string, number] => [v7(), i + 1]);
    change(versions);
    const heard = told(CONVERSATIONS);
    await events.sendDigest();
    const digests = await heard;
    expect(digests.map((digest) => Object.keys(digest.versions).length)).toEqual([5000, 5000, 2001]);
    expect(digests.every((digest) => digest.epoch === epoch)).toBe(true);
    const union = Object.assign({}, ...digests.map((digest) => digest.versions)) as object;
    expect(union).toEqual(Object.fromEntries(versions));
  });

  it('is the last version of each, and nothing of what is longer ago', async () => {
    const id = v7();
    clock.now += WINDOW_MS;
    change([[id, 1]]);
    clock.now += 1;
    change([[id, 2]]);
    const heard = told(1);
    await events.sendDigest();
    expect((await heard).map((digest) => digest.versions)).toEqual([{ [id]: 2 }]);
  });

  it('leaves out what changes while it is told: the next one has it', async () => {
    const [first, second] = [v7(), v7()];
    clock.now += WINDOW_MS + 1;
    change(Array.from({ length: 5000 }, (): [string, number] => [v7(), 1]));
    change([[first, 1]]);
    const heard = told(5000);
    const telling = events.sendDigest();
    clock.now += 1;
    change([
      [first, 2],
      [second, 1],
    ]);
    await Promise.all([telling, heard]);
    clock.now += WINDOW_MS;
    const next = told(2);
    await events.sendDigest();
    expect((await next).map((digest) => digest.versions)).toEqual([{ [first]: 2, [second]: 1 }]);
  });
});
