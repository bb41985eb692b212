import { Membership } from '@parley/broker';
import type { ConnectionEvent } from '@parley/contracts';
import { loadConfig, type RunningService } from '@parley/service';
import { formerRelease, freshRedis, freshVhost, testKeys, until } from '@parley/testing';
import { startPresence } from './app';
import { schema } from './config';
import { RealtimeNode } from './testing/realtime-node';

describe('what a node of the release before tells', () => {
  const former = formerRelease();
  const eventsOf = ({ body }: { body: string }) => JSON.parse(body) as ConnectionEvent[];
  const isOpening = ({ sockets }: ConnectionEvent) => sockets > 0;
  const recorded = former.ofKind('connections');
  const opening = recorded.filter((one) => eventsOf(one).every(isOpening));
  const closing = recorded.filter((one) => !eventsOf(one).some(isOpening));
  const opened = opening.flatMap(eventsOf);
  const closed = closing.flatMap(eventsOf);
  const everybody = [...new Set(closed.map(({ userId }) => userId))];
  const connected = new Set(opened.map(({ userId }) => userId));
  let presence: RunningService;
  /** Of the present release: it speaks for the recorded one, and hears what is told. */
  let node: RealtimeNode;

  beforeAll(async () => {
    const [amqpUrl, redisUrl, { publicFile }] = await Promise.all([freshVhost(), freshRedis(), testKeys()]);
    const config = loadConfig(schema, {
      PORT: '0',
      LOG_LEVEL: 'silent',
      AMQP_URL: amqpUrl,
      REDIS_URL: redisUrl,
      JWT_PUBLIC_KEYS_FILE: publicFile,
      PRESENCE_CLOSE_GRACE_MS: '50',
      // The recorded node is silent after it has spoken, and must not count as gone before the end.
      PRESENCE_NODE_GRACE_MS: '60000',
      PRESENCE_BUCKET_MS: '20',
    });
    presence = await startPresence(config, { ownsProcess: false });
    node = await RealtimeNode.start(amqpUrl);
    // Until presence has made its queue, what nodes tell is lost; a living node would tell it again.
    const isReady = async () => (await fetch(`${presence.url}/health/ready`)).status === 200;
    await until('presence is ready', isReady);
  });

  afterAll(async () => {
    await node.kill();
    await presence.close();
  });

  async function online(): Promise<Set<string>> {
    const { items } = await node.requester.query('presence.get', { userIds: everybody });
    return new Set(items.flatMap(({ userId, status }) => (status === 'online' ? [userId] : [])));
  }

  it('makes it known by its heartbeat', async () => {
    const ofNodes = former.ofKind('member').filter(({ key }) => key === 'member.realtime');
    former.replay(node.broker, 'member', ofNodes);
    const known = () => presence.app.get(Membership).instances('realtime');
    await until('the node is known', () => opened.every((event) => known().includes(event.node)));
  });

  it('puts those online who have sockets', async () => {
    former.replay(node.broker, 'connections', opening);
    await Promise.all([...connected].map((userId) => node.until(userId, 'online')));
    expect(await online()).toEqual(connected);
  });

  // Only now: of somebody who comes and goes within one bucket only the going is told.
  it('takes those offline again who have none left, and tells each change once', async () => {
    former.replay(node.broker, 'connections', closing);
    await Promise.all([...connected].map((userId) => node.until(userId, 'offline')));
    expect(await online()).toEqual(new Set());
    for (const userId of everybody) {
      const told = connected.has(userId) ? ['online', 'offline'] : [];
      expect(node.statusesOf(userId)).toEqual(told);
    }
  });

  it('does not come true anew when it comes late, and is taken in the envelope of the next release too', async () => {
    former.replay(node.broker, 'connections', opening);
    const [back] = closed;
    node.announceRaw({ v: 2, items: [{ ...back, sequence: (back?.sequence ?? 0) + 1, sockets: 1 }] });
    await node.until(back?.userId ?? '', 'online');
    expect(await online()).toEqual(new Set([back?.userId]));
  });
});
