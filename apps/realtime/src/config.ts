import { limits } from '@parley/contracts';
import {
  baseConfig,
  brokerConfig,
  numberVariable,
  portVariable,
  redisConfig,
  tokenConfig,
} from '@parley/service';
import { z } from 'zod';

const origins = z
  .string()
  .default('')
  .transform((text) => new Set(text.split(',').map((origin) => origin.trim())))
  .describe(
    'Origins whose pages may connect, separated by commas; `*` for all. Others than browsers send none.',
  );

export const schema = baseConfig
  .extend(tokenConfig.shape)
  .extend(redisConfig.shape)
  .extend(brokerConfig.shape)
  .extend({
    PORT: portVariable(3006),
    WEB_ORIGINS: origins,
    DRAIN_MS: numberVariable(5_000, 0, 600_000).describe(
      'Over how long the sockets of a node that stops are closed.',
    ),
    DRAIN_TIMEOUT_MS: numberVariable(60_000, 100, 900_000).describe(
      'Must exceed DRAIN_MS: after it the process ends with sockets open.',
    ),
    TICKET_SESSION_MS: numberVariable(600_000, 1_000, 3_600_000).describe(
      'How long a socket lives that came with a ticket, unless `auth:refresh` comes; as long as an access token.',
    ),
    JOIN_CONCURRENCY: numberVariable(32, 1, 1_000).describe(
      'Questions for memberships under way at once; a storm of reconnections waits behind them.',
    ),
    SYNC_CONCURRENCY: numberVariable(16, 1, 1_000).describe(
      'Syncs under way at once, half of it while a storm of connections is on; the others wait in line, for 5 s at most.',
    ),
    SOCKET_EVENTS_PER_SECOND: numberVariable(limits.socketEventsPerSecondMax, 1, 1_000_000).describe(
      "A socket's events a second, in the long run.",
    ),
    SOCKET_EVENTS_BURST: numberVariable(limits.socketEventsBurstMax, 1, 1_000_000).describe(
      "A socket's events at once.",
    ),
    SOCKET_OUTBOUND_BYTES: numberVariable(limits.socketOutboundBytesMax, 65_536, 1_073_741_824).describe(
      'What may wait for a socket that reads slowly; beyond it the socket is closed.',
    ),
  });
export type Config = z.infer<typeof schema>;

/** Injects the configuration. */
export const CONFIG = Symbol('CONFIG');
