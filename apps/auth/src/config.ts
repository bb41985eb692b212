import { resolve } from 'node:path';
import {
  baseConfig,
  brokerConfig,
  databaseConfig,
  numberVariable,
  redisConfig,
  tokenConfig,
} from '@parley/service';
import { z } from 'zod';

export const configSchema = baseConfig.extend({
  ...databaseConfig.shape,
  ...redisConfig.shape,
  ...brokerConfig.shape,
  ...tokenConfig.shape,
  PORT: numberVariable(3001, 0, 65_535),
  /** JWKS with private ES256 keys; the first one signs. Its public half must stand in JWT_PUBLIC_KEYS_FILE. */
  JWT_PRIVATE_KEYS_FILE: z.string(),
  /** At most ten minutes: revocation reaches HTTP no sooner than this. */
  ACCESS_TOKEN_SECONDS: numberVariable(600, 1, 600),
  /** A session that is not refreshed for so long ends. */
  SESSION_IDLE_DAYS: numberVariable(60, 1, 3650),
  /** Argon2 runs at once; each takes 19 MiB and a core. */
  PASSWORD_HASH_CONCURRENCY: numberVariable(2, 1, 64),
  /** More waiting than this is refused with `unavailable`. */
  PASSWORD_HASH_QUEUE_MAX: numberVariable(64, 0, 10_000),
  /** The three bounds below count within this. */
  THROTTLE_WINDOW_SECONDS: numberVariable(300, 1, 86_400),
  LOGIN_FAILURES_PER_ACCOUNT_MAX: numberVariable(10, 1),
  /** Generous, since offices and carriers stand behind one address. */
  LOGIN_FAILURES_PER_ADDRESS_MAX: numberVariable(100, 1),
  REGISTRATIONS_PER_ADDRESS_MAX: numberVariable(100, 1),
  /** Where openapi.json and asyncapi.json lie. */
  DOCUMENTS_DIR: z.string().default(resolve(__dirname, '../../../docs/api')),
});
export type AuthConfig = z.infer<typeof configSchema>;
