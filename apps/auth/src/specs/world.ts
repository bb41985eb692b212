import { loadConfig, runMigrations, type RunningService } from '@parley/service';
import { freshDatabase, freshRedis, freshVhost, testKeys } from '@parley/testing';
import { exchanges, type AccountEvent, type Authenticated, type Problem } from '@parley/contracts';
import { connect } from 'amqplib';
import { Client } from 'pg';
import { startAuth } from '../app';
import { configSchema, type AuthConfig } from '../config';
import { databaseSettings } from '../database';

/** One or more instances of auth on stores of their own. */
export interface World {
  config: AuthConfig;
  services: RunningService[];
  stop(): Promise<void>;
}

export async function startWorld(settings: Record<string, string> = {}, instances = 1): Promise<World> {
  const keys = await testKeys();
  const environment = {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: await freshDatabase(),
    REDIS_URL: await freshRedis(),
    AMQP_URL: await freshVhost(),
    JWT_PUBLIC_KEYS_FILE: keys.publicFile,
    JWT_PRIVATE_KEYS_FILE: keys.privateFile,
    REGISTRATIONS_PER_ADDRESS_MAX: '10000',
    ...settings,
  };
  const config = loadConfig(configSchema, environment);
  await runMigrations(databaseSettings(config));
  const services = await Promise.all(
    Array.from({ length: instances }, () =>
      startAuth(loadConfig(configSchema, environment), { ownsProcess: false }),
    ),
  );
  return {
    config,
    services,
    stop: async () => void (await Promise.all(services.map((service) => service.close()))),
  };
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** One HTTP request with a JSON body. */
export async function call<T = Problem>(
  service: RunningService,
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const response = await fetch(service.url + path, {
    method,
    headers: {
      ...(options.body !== undefined && { 'Content-Type': 'application/json' }),
      ...(options.token !== undefined && { Authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(options.body !== undefined && {
      body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body),
    }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as T,
  };
}

/** Looks into, or reaches into, the database past the service. */
export async function query<Row extends object>(
  world: World,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: world.config.DATABASE_URL });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

export const password = 'correct horse battery';

export function registration(username: string) {
  return { email: `${username}@example.org`, username, password, displayName: `${username} of Parley` };
}

export async function register(service: RunningService, username: string): Promise<Authenticated> {
  const { status, body } = await call<Authenticated>(service, 'POST', '/v1/auth/register', {
    body: registration(username),
  });
  expect(status).toBe(201);
  return body;
}

/** Every account event from now on, and a way to wait for some. */
export async function listen(amqpUrl: string) {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertExchange(exchanges.accounts.name, exchanges.accounts.type, { durable: true });
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchanges.accounts.name, '#');
  const events: AccountEvent[] = [];
  let changed: () => void = () => undefined;
  await channel.consume(
    queue,
    (message) => {
      if (!message) return;
      events.push(JSON.parse(message.content.toString()) as AccountEvent);
      changed();
    },
    { noAck: true },
  );
  return {
    events,
    /** Resolves with the events once as many fit. */
    until: async (count: number, fits: (event: AccountEvent) => boolean): Promise<AccountEvent[]> => {
      for (;;) {
        const fitting = events.filter(fits);
        if (fitting.length >= count) return fitting;
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
    close: () => connection.close(),
  };
}
