import type { ChannelModel } from 'amqplib';
import Redis from 'ioredis';
import type { Client } from 'pg';
import { tlsOptions } from './certificates';
import { databaseClient } from './postgres';
import type { Servers } from './servers';

/** What tools say to the servers of a deployment themselves, encrypted wherever the apps are. */

/** Not connected yet. */
export function databaseOf({ postgres, tls }: Pick<Servers, 'postgres' | 'tls'>): Client {
  return databaseClient(postgres.url, tls);
}

/** Connects by itself. */
export function redisOf({ redis, tls }: Pick<Servers, 'redis' | 'tls'>): Redis {
  return new Redis(redis.url, tls ? { tls: tlsOptions(tls) } : {});
}

/** Connected. */
export async function brokerOf({ rabbitmq, tls }: Pick<Servers, 'rabbitmq' | 'tls'>): Promise<ChannelModel> {
  const { connect } = await import('amqplib');
  return connect(rabbitmq.url, tls && tlsOptions(tls));
}
