import { baseConfig, brokerConfig, databaseConfig, numberVariable, tokenConfig } from '@parley/service';
import type { z } from 'zod';

export const schema = baseConfig
  .extend({ PORT: numberVariable(3005, 0, 65_535) })
  .extend(tokenConfig.shape)
  .extend(databaseConfig.shape)
  .extend(brokerConfig.shape)
  .extend({
    /** In groups of up to so many members those who are offline get an entry for each message. */
    NOTIFICATION_SMALL_GROUP_MEMBERS_MAX: numberVariable(20, 2, 100),
    /** The newest entries of a user that are kept. */
    NOTIFICATION_KEPT_PER_USER: numberVariable(1000, 10, 100_000),
    /** Entries for messages older than this are stored and not pushed: nobody wants to hear of them now. */
    NOTIFICATION_LIVE_MS: numberVariable(600_000, 1_000, 86_400_000),
  });
export type Config = z.infer<typeof schema>;
