import { mkdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freshDatabase, freshVhost, privateRedis } from '@parley/testing';
import { startStack, type Stack, type StackOptions } from '@parley/tool-local';

const WORKSPACE = resolve(__dirname, '../../../..');

/** Nobody in a spec is to be refused for being one of many behind one address. */
const PLENTY = '1000000';
const rates = [
  'USER_SECOND',
  'USER_MINUTE',
  'ADDRESS_MINUTE',
  'ADDRESS_HOUR',
  'REFRESH_MINUTE',
  'PUBLIC_MINUTE',
  'SOCKET_MINUTE',
];

export interface System {
  stack: Stack;
  /** Address of the gateway. */
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts the apps of the built workspace and the gateway, on servers that no other spec of this run hears anything of.
 * `name` is the directory of logs and keys within that of the run.
 */
export async function startSystem(
  name: string,
  options: Pick<
    StackOptions,
    'env' | 'envOf' | 'signal' | 'scale' | 'gateways' | 'loadBalancer' | 'certificates'
  > & {
    /** Rate limits of the gateway that are not to be wide open, e.g. `RL_PUBLIC_MINUTE`. */
    rates?: Record<string, string>;
    /** Keeps messages there. */
    mongodbUrl?: string;
  },
): Promise<System> {
  const { mongodbUrl } = options;
  const runDir = process.env['PARLEY_TEST_DIR'];
  if (!runDir)
    throw new Error('PARLEY_TEST_DIR is not set: run jest with the jest.config.js of this project.');
  const dir = join(realpathSync(runDir), name);
  mkdirSync(dir, { mode: 0o711 });
  const [databaseUrl, amqpUrl, redis] = await Promise.all([freshDatabase(), freshVhost(), privateRedis()]);
  try {
    const stack = await startStack({
      ...options,
      workspace: WORKSPACE,
      dir,
      servers: {
        given: { databaseUrl, amqpUrl, redisUrl: redis.url, ...(mongodbUrl && { mongodbUrl }) },
        ...(mongodbUrl && { store: 'mongodb' }),
      },
      gateway: {
        env: { ...Object.fromEntries(rates.map((rate) => [`RL_${rate}`, PLENTY])), ...options.rates },
      },
      envOf: {
        ...options.envOf,
        auth: {
          REGISTRATIONS_PER_ADDRESS_MAX: PLENTY,
          LOGIN_FAILURES_PER_ADDRESS_MAX: PLENTY,
          ...options.envOf?.auth,
        },
      },
    });
    const stop = async (): Promise<void> => {
      await stack.stop();
      await redis.stop();
    };
    return { stack, url: `http://127.0.0.1:${stack.gateway.port}`, stop };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}
