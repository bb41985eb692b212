import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { queues, LANES } from '@parley/contracts';
import { freshVhost, until } from '@parley/testing';
import { LaneConsumer, type LaneConsumerOptions } from './lanes';
import { assign } from './rendezvous';
import { Peer } from './testing/peer';

/** What a consumer was given and has not acknowledged, by partition. */
type Held = Map<number, () => void>;

interface Instance extends Pick<Peer, 'broker' | 'membership'> {
  id: string;
  consumer: LaneConsumer;
  held: Held;
}

const byNumber = (a: number, b: number) => a - b;

describe('LaneConsumer', () => {
  let url: string;
  let publisher: Peer;
  const peers: Peer[] = [];
  const consumers: LaneConsumer[] = [];
  beforeEach(async () => {
    url = await freshVhost();
    publisher = await started('messaging');
  });
  afterEach(async () => {
    for (const consumer of consumers.splice(0)) await consumer.stop();
    for (const peer of peers.splice(0)) await peer.stop();
  });

  async function started(service: 'messaging' | 'history'): Promise<Peer> {
    const peer = new Peer(url, service);
    peers.push(peer);
    return peer.start();
  }

  /** An instance that acknowledges nothing by itself. */
  async function startConsumer(own: Partial<LaneConsumerOptions> = {}): Promise<Instance> {
    const { broker, membership, instanceId: id } = await started('history');
    const held: Held = new Map();
    const consumer = new LaneConsumer({
      broker,
      membership,
      queue: (lane) => queues.lane('history', lane),
      onTake: () => Promise.resolve(),
      onDrop: () => undefined,
      onEnvelope: ({ partitions }, ack) => held.set(partitions[0]!.partition, ack),
      ...own,
    });
    consumers.push(consumer);
    consumer.start();
    return { id, broker, membership, consumer, held };
  }

  function publish(lane: number): void {
    const body = { v: 1, epoch: 'one', partitions: [{ partition: lane, rows: [] }] };
    publisher.publisher.events(lane, JSON.stringify(body));
  }

  /** RabbitMQ ends a channel on which something is acknowledged twice. */
  async function endChannel({ consumer, held }: Instance, lane: number): Promise<void> {
    await until('it has the lane', () => consumer.lanes().includes(lane));
    publish(lane);
    await until('it has an envelope', () => held.has(lane));
    for (let times = 0; times < 2; times += 1) held.get(lane)!();
  }

  it('hands on what it has not dealt with when a lane is another one’s', async () => {
    const first = await startConsumer();
    await until('the first has all lanes', () => first.consumer.lanes().length === LANES);
    for (let lane = 0; lane < LANES; lane += 1) publish(lane);
    await until('the first holds all envelopes', () => first.held.size === LANES);

    const second = await startConsumer();
    const owners = assign(LANES, [first.id, second.id]);
    const lanesOf = (id: string) => owners.flatMap((owner, lane) => (owner === id ? [lane] : []));
    // The second takes all lanes until it hears of the first: half of them by number is not yet its own half.
    await until('each has the lanes for which it ranks first', () =>
      [first, second].every(({ id, consumer }) =>
        isDeepStrictEqual(consumer.lanes().sort(byNumber), lanesOf(id)),
      ),
    );
    for (const acknowledge of first.held.values()) acknowledge();

    await until('the second has what the first gave away', () => second.held.size === LANES / 2);
    expect([...second.held.keys()].sort(byNumber)).toEqual(lanesOf(second.id));
  });

  it('acknowledges in vain, and nothing more, on a channel that has ended', async () => {
    const instance = await startConsumer();
    const isLost = once(instance.broker, 'disconnected');
    await endChannel(instance, 0);
    while (instance.broker.connected) {
      expect(instance.held.get(0)).not.toThrow();
      await nextTurn();
    }
    await isLost;
  });

  it('drops a lane whose connection ends while it is taken', async () => {
    const other = new Peer(url, 'history');
    peers.push(other);
    const followed = new Set<number>();
    let held: number | undefined;
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const instance: Instance = await startConsumer({
      onTake: async (lane) => {
        followed.add(lane);
        const last = assign(LANES, [instance.id, other.instanceId]).lastIndexOf(other.instanceId);
        if (lane !== last || held !== undefined) return;
        held = lane;
        await gate;
      },
      onDrop: (lane) => void followed.delete(lane),
    });
    await until('it takes a lane', () => held !== undefined);
    const isLost = once(instance.broker, 'disconnected');
    await endChannel(instance, 0);
    await isLost;
    await other.start();
    await until('they hear each other', () => instance.membership.instances('history').length === 2);
    go();
    await until('it has its half', () => instance.consumer.lanes().length === LANES / 2);
    expect([...followed].sort(byNumber)).toEqual(instance.consumer.lanes().sort(byNumber));
  });
});
