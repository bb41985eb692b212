import { freshRedis, interruptible } from '@parley/testing';
import { closeRedis, createRedis, isBackingServiceAway } from '.';

test('commands fail at once while Redis is away, and work again by themselves', async () => {
  const line = await interruptible(await freshRedis());
  const redis = createRedis({ REDIS_URL: line.url });
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.set('a', '1');

  const closed = new Promise((resolve) => redis.once('close', resolve));
  await line.cut();
  await closed;
  const failure: unknown = await redis.get('a').catch((error: unknown) => error);
  expect(isBackingServiceAway(failure)).toBe(true);

  const ready = new Promise((resolve) => redis.once('ready', resolve));
  await line.restore();
  await ready;
  expect(await redis.get('a')).toBe('1');

  line.freeze();
  const late: unknown = await redis.get('a').catch((error: unknown) => error);
  expect(isBackingServiceAway(late)).toBe(true);
  await line.restore();
  await closeRedis(redis);
  await line.close();
});

test('closing works without a connection', async () => {
  const line = await interruptible(await freshRedis());
  await line.cut();
  const redis = createRedis({ REDIS_URL: line.url });
  const ended = new Promise((resolve) => redis.once('end', resolve));
  await closeRedis(redis);
  await ended;
});
