import { queues } from '@parley/contracts';
import { freshVhost, until } from '@parley/testing';
import type { QueueSpec } from '@parley/contracts';
import { connect } from 'amqplib';
import { LaneConsumer } from './lanes';
import { Peer } from './testing/peer';

/** As with a node of a cluster that ends, or an operator who deletes it: connections live on. */
describe('a queue that goes while it is consumed', () => {
  let url: string;
  const peers: Peer[] = [];
  beforeEach(async () => {
    url = await freshVhost();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) await peer.stop();
  });

  function peerOf(service: 'auth' | 'history' | 'messaging'): Peer {
    const peer = new Peer(url, service);
    peers.push(peer);
    return peer;
  }

  async function takeAway(queue: QueueSpec): Promise<void> {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    await channel.deleteQueue(queue.name);
    await connection.close();
  }

  it('is consumed again where it holds questions', async () => {
    const answers = { 'auth.sessions': () => ({ live: [] }) };
    await peerOf('auth').start({ queries: true }, answers);
    const asker = await peerOf('messaging').start();
    await takeAway(queues.queries('auth'));
    await until('questions are answered', () =>
      asker.requester.query('auth.sessions', { ids: [] }).then(
        () => true,
        () => false,
      ),
    );
  });

  it('is consumed again where it is a lane', async () => {
    const { broker, membership } = await peerOf('history').start();
    const heard = new Set<number>();
    const consumer = new LaneConsumer({
      broker,
      membership,
      queue: (lane) => queues.lane('history', lane),
      onTake: () => Promise.resolve(),
      onDrop: () => undefined,
      onEnvelope: ({ partitions }, ack) => {
        heard.add(partitions[0]!.partition);
        ack();
      },
    });
    consumer.start();
    const { publisher } = await peerOf('messaging').start();
    await until('the lane is taken', () => consumer.lanes().includes(3));
    await takeAway(queues.lane('history', 3));
    await until('what comes on the lane is heard', () => {
      publisher.events(3, JSON.stringify({ v: 1, epoch: 'one', partitions: [{ partition: 3, rows: [] }] }));
      return heard.has(3);
    });
    await consumer.stop();
  });
});
