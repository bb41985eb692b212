import {
  baseConfig,
  brokerConfig,
  databaseConfig,
  numberVariable,
  portVariable,
  tokenConfig,
} from '@parley/service';
import type { z } from 'zod';

/** What the feed takes, and with it the command that replays parked events: nothing that serves users. */
export const feedSchema = baseConfig
  .extend({ PORT: portVariable(3005) })
  .extend(databaseConfig.shape)
  .extend(brokerConfig.shape)
  .extend({
    NOTIFICATION_SMALL_GROUP_MEMBERS_MAX: numberVariable(20, 2, 100).describe(
      'In groups of up to so many members those who are offline get an entry for each message.',
    ),
    NOTIFICATION_KEPT_PER_USER: numberVariable(1000, 10, 100_000).describe(
      'The newest entries of a user that are kept.',
    ),
    NOTIFICATION_LIVE_MS: numberVariable(600_000, 1_000, 86_400_000).describe(
      'Entries for messages older than this are stored and not pushed: nobody wants to hear of them now.',
    ),
  });
export type FeedConfig = z.infer<typeof feedSchema>;

export const schema = feedSchema.extend(tokenConfig.shape);
export type Config = z.infer<typeof schema>;
