import { resolve } from 'node:path';
import {
  baseConfig,
  brokerConfig,
  databaseConfig,
  numberVariable,
  portVariable,
  redisConfig,
  tokenConfig,
} from '@parley/service';
import { z } from 'zod';

export const configSchema = baseConfig.extend({
  ...databaseConfig.shape,
  ...redisConfig.shape,
  ...brokerConfig.shape,
  ...tokenConfig.shape,
  PORT: portVariable(3001),
  JWT_PRIVATE_KEYS_FILE: z
    .string()
    .describe(
      'JWKS with private ES256 keys; the first one signs. Watched. Its public half must stand in JWT_PUBLIC_KEYS_FILE.',
    ),
  ACCESS_TOKEN_SECONDS: numberVariable(600, 1, 600).describe(
    'At most ten minutes: revocation reaches HTTP no sooner than this.',
  ),
  SESSION_IDLE_DAYS: numberVariable(60, 1, 3650).describe(
    'A session that is not refreshed for so long ends.',
  ),
  PASSWORD_HASH_CONCURRENCY: numberVariable(2, 1, 64).describe(
    'Argon2 runs at once; each takes 19 MiB and a core.',
  ),
  PASSWORD_HASH_QUEUE_MAX: numberVariable(64, 0, 10_000).describe(
    'More waiting than this is refused with `unavailable`.',
  ),
  THROTTLE_WINDOW_SECONDS: numberVariable(300, 1, 86_400).describe(
    'The three bounds below count within this.',
  ),
  LOGIN_FAILURES_PER_ACCOUNT_MAX: numberVariable(10, 1).describe(
    'Failed logins by one username, and by one mail address.',
  ),
  LOGIN_FAILURES_PER_ADDRESS_MAX: numberVariable(100, 1).describe(
    'Generous, since offices and carriers stand behind one address.',
  ),
  REGISTRATIONS_PER_ADDRESS_MAX: numberVariable(100, 1).describe('Registrations from one address.'),
  DOCUMENTS_DIR: z
    .string()
    .default(resolve(__dirname, '../../../docs/api'))
    .describe('Where openapi.json and asyncapi.json lie.'),
});
export type AuthConfig = z.infer<typeof configSchema>;
