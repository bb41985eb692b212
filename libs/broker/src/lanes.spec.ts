import { isDeepStrictEqual } from 'node:util';
import { queues, LANES } from '@parley/contracts';
import { freshVhost, until } from '@parley/testing';
import { LaneConsumer } from './lanes';
import { assign } from './rendezvous';
import { Peer } from './testing/peer';

/** What a consumer was given and has not acknowledged, by partition. */
type Held = Map<number, () => void>;

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
  async function startConsumer(): Promise<{ id: string; consumer: LaneConsumer; held: Held }> {
    const { broker, membership, instanceId: id } = await started('history');
    const held: Held = new Map();
    const consumer = new LaneConsumer({
      broker,
      membership,
      queue: (lane) => queues.lane('history', lane),
      onTake: () => Promise.resolve(),
      onDrop: () => undefined,
      onEnvelope: ({ partitions }, ack) => held.set(partitions[0]!.partition, ack),
    });
    consumers.push(consumer);
    consumer.start();
    return { id, consumer, held };
  }

  it('hands on what it has not dealt with when a lane is another one’s', async () => {
    const first = await startConsumer();
    await until('the first has all lanes', () => first.consumer.lanes().length === LANES);
    for (let lane = 0; lane < LANES; lane += 1) {
      const body = { v: 1, epoch: 'one', partitions: [{ partition: lane, rows: [] }] };
      publisher.publisher.events(lane, JSON.stringify(body));
    }
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
});
