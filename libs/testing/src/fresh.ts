import Redis from 'ioredis';
import { Client } from 'pg';
import { managementRequest } from './management';
import { freshName } from './names';
import { testServers } from './servers';

/** A database of one's own, empty: its DATABASE_URL. */
export async function freshDatabase(): Promise<string> {
  const { databaseUrl } = await testServers();
  const name = freshName();
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** A RabbitMQ virtual host of one's own, empty: its AMQP_URL. */
export async function freshVhost(): Promise<string> {
  const servers = await testServers();
  const name = freshName();
  await managementRequest(servers, 'PUT', `/api/vhosts/${name}`, {});
  const url = new URL(servers.amqpUrl);
  const user = encodeURIComponent(decodeURIComponent(url.username));
  const everything = { configure: '.*', write: '.*', read: '.*' };
  await managementRequest(servers, 'PUT', `/api/permissions/${name}/${user}`, everything);
  url.pathname = `/${name}`;
  return url.href;
}

/**
 * A numbered Redis database of one's own, empty: its REDIS_URL. Channels of publish/subscribe belong to the whole
 * server, not to a database: a suite that must hear nothing of others takes `privateRedis`.
 */
export async function freshRedis(): Promise<string> {
  const { redisUrl } = await testServers();
  const counter = new Redis(redisUrl);
  try {
    const [, total] = (await counter.config('GET', 'databases')) as [string, string];
    const turn = await counter.incr('parley:test:databases');
    // Number 0 holds the counter.
    const number = 1 + ((turn - 1) % (Number(total) - 1));
    await counter.select(number);
    await counter.flushdb();
    const url = new URL(redisUrl);
    url.pathname = `/${number}`;
    return url.href;
  } finally {
    counter.disconnect();
  }
}
