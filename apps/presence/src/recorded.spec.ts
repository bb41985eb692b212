import { randomUUID } from 'node:crypto';
import type { ConnectionEvent } from '@parley/contracts';
import { exchanges } from '@parley/contracts';
import { loadConfig } from '@parley/service';
import { formerEnvelopes, freshVhost, privateRedis, testKeys } from '@parley/testing';
import { startPresence } from './app';
import { schema } from './config';
import { RealtimeNode } from './testing/realtime-node';

test('connections are taken as the release before tells them, and in the envelope that comes next', async () => {
  const [amqpUrl, redis, { publicFile }] = await Promise.all([freshVhost(), privateRedis(), testKeys()]);
  const config = loadConfig(schema, {
    PORT: '0',
    LOG_LEVEL: 'silent',
    AMQP_URL: amqpUrl,
    REDIS_URL: redis.url,
    JWT_PUBLIC_KEYS_FILE: publicFile,
    PRESENCE_BUCKET_MS: '20',
  });
  const presence = await startPresence(config, { ownsProcess: false });
  const node = await RealtimeNode.start(amqpUrl);
  const recorded = formerEnvelopes().envelopes.filter(({ kind }) => kind === 'connections');
  const events = recorded.flatMap(({ body }) => JSON.parse(body) as ConnectionEvent[]);
  const [former, next] = [
    events[0] as ConnectionEvent,
    { ...(events[0] as ConnectionEvent), userId: randomUUID() },
  ];
  node.announceRaw(events);
  await node.until(former.userId, 'online');
  node.announceRaw({ v: 2, items: [{ ...next, sequence: next.sequence + 1 }] });
  await node.until(next.userId, 'online');
  expect(recorded.every(({ exchange }) => exchange === exchanges.connections.name)).toBe(true);

  await node.kill();
  await presence.close();
  await redis.stop();
});
