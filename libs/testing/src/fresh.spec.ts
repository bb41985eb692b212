import { connect } from 'amqplib';
import Redis from 'ioredis';
import { Client } from 'pg';
import { freshDatabase, freshRedis, freshVhost, privateRedis } from './index';

test('two databases share nothing', async () => {
  const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
  const clients = [one, other].map((connectionString) => new Client({ connectionString }));
  for (const client of clients) {
    await client.connect();
    await client.query('create table letters (letter text)');
    await client.end();
  }
  expect(one).not.toBe(other);
});

test('two virtual hosts share nothing', async () => {
  const connections = await Promise.all([freshVhost(), freshVhost()].map(async (url) => connect(await url)));
  const [one, other] = await Promise.all(connections.map((connection) => connection.createChannel()));
  await one?.assertQueue('letters');
  await one?.assertQueue('numbers');
  other?.on('error', () => undefined);
  await expect(other?.checkQueue('letters')).rejects.toThrow('NOT_FOUND');
  await Promise.all(connections.map((connection) => connection.close()));
});

test('two Redis databases share nothing', async () => {
  const [one, other] = await Promise.all(
    [freshRedis(), freshRedis()].map(async (url) => new Redis(await url)),
  );
  await one?.set('letter', 'a');
  expect(await other?.get('letter')).toBeNull();
  one?.disconnect();
  other?.disconnect();
});

test('a private Redis survives its stop and start at the same address', async () => {
  const server = await privateRedis();
  await server.stop();
  await server.start();
  const client = new Redis(server.url);
  expect(await client.ping()).toBe('PONG');
  client.disconnect();
  await server.stop();
});
