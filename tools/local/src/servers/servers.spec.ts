import { createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import { connect } from 'amqplib';
import Redis from 'ioredis';
import { Client } from 'pg';
import { temporaryDirectory } from '../fixtures/temporary';
import { loadState } from '../system/state';
import { type Servers, startServers } from './servers';

const { dir, remove } = temporaryDirectory();
let servers: Servers;

beforeAll(async () => {
  servers = await startServers(dir);
});
afterAll(async () => {
  await servers.kill();
  remove();
});

async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: servers.postgres.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

async function withRedis<Result>(work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(servers.redis.url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function withChannel<Result>(
  work: (
    channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>,
  ) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(servers.rabbitmq.url);
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

test('what was acknowledged survives the crash or the stop of every server', async () => {
  await query('create table letters as select 1 as letter');
  await withRedis((redis) => redis.set('letter', '1'));
  await withChannel(async (channel) => {
    await channel.assertQueue('letters', { durable: true });
    channel.sendToQueue('letters', Buffer.from('1'), { persistent: true });
    await channel.waitForConfirms();
  });
  // Redis promises its last second, RabbitMQ a queue declared just now, only to an orderly stop.
  await Promise.all([servers.postgres.kill(), servers.redis.stop(), servers.rabbitmq.stop()]);
  await Promise.all([servers.postgres.start(), servers.redis.start(), servers.rabbitmq.start()]);

  expect(await query('select letter from letters')).toEqual([{ letter: 1 }]);
  expect(await withRedis((redis) => redis.get('letter'))).toBe('1');
  expect(await withChannel(async (channel) => (await channel.checkQueue('letters')).messageCount)).toBe(1);
});

test('durability is on', async () => {
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
    expect(await query(`show ${setting}`)).toEqual([{ [setting]: 'on' }]);
  expect(await withRedis((redis) => redis.config('GET', 'appendonly'))).toEqual(['appendonly', 'yes']);
});

test('a wrong password opens none of them', async () => {
  const wrong = (url: string): string => url.replace(/:[^:@/]*@/, ':wrong@');
  await expect(new Client({ connectionString: wrong(servers.postgres.url) }).connect()).rejects.toThrow(
    'password',
  );
  const redis = new Redis(wrong(servers.redis.url), { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  await expect(redis.connect().then(() => redis.ping())).rejects.toThrow();
  redis.disconnect();
  await expect(connect(wrong(servers.rabbitmq.url))).rejects.toThrow('ACCESS');
});

test('nothing listens outside of loopback', async () => {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((one) => !one.internal && one.family === 'IPv4')
    .map((one) => one.address);
  for (const port of Object.values(loadState(dir).ports))
    for (const host of addresses) expect(await accepts(host, port)).toBe(false);
});

test('a frozen server is noticed within seconds, and goes on afterwards', async () => {
  servers.redis.freeze();
  const given = {
    redisUrl: servers.redis.url,
    databaseUrl: servers.postgres.url,
    amqpUrl: servers.rabbitmq.url,
  };
  const other = temporaryDirectory();
  try {
    await expect(startServers(other.dir, { given })).rejects.toThrow('redis at redis://127.0.0.1');
  } finally {
    servers.redis.thaw();
    other.remove();
  }
  expect(await withRedis((redis) => redis.ping())).toBe('PONG');
});

test('servers that are given are used, and never stopped', async () => {
  const other = temporaryDirectory();
  const given = {
    databaseUrl: servers.postgres.url,
    redisUrl: servers.redis.url,
    amqpUrl: servers.rabbitmq.url,
  };
  const borrowed = await startServers(other.dir, { given });
  expect(borrowed.environment.DATABASE_URL).toBe(servers.postgres.url);
  await expect(borrowed.redis.kill()).rejects.toThrow('not ours');
  await borrowed.stop();
  expect(await query('select 1 as one')).toEqual([{ one: 1 }]);
  const away = { ...given, redisUrl: 'redis://127.0.0.1:1' };
  await expect(startServers(other.dir, { given: away })).rejects.toThrow('redis at redis://127.0.0.1:1');
  other.remove();
});

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
