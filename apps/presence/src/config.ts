import {
  baseConfig,
  brokerConfig,
  numberVariable,
  portVariable,
  redisConfig,
  tokenConfig,
} from '@parley/service';
import type { z } from 'zod';

export const schema = baseConfig
  .extend({ PORT: portVariable(3004) })
  .extend(tokenConfig.shape)
  .extend(redisConfig.shape)
  .extend(brokerConfig.shape)
  .extend({
    PRESENCE_CLOSE_GRACE_MS: numberVariable(2_000, 0, 60_000).describe(
      'How long a user whose last socket closed still counts as connected: a page reload is no absence.',
    ),
    PRESENCE_NODE_GRACE_MS: numberVariable(10_000, 1_000, 60_000).describe(
      'How long after a realtime node was last heard its users still count as connected.',
    ),
    PRESENCE_SPREAD_MS: numberVariable(8_000, 0, 60_000).describe(
      "Over how long a dead node's users go offline, so that their going is no storm.",
    ),
    PRESENCE_CONNECTION_TTL_MS: numberVariable(100_000, 5_000, 3_600_000).describe(
      'A connection that its node has not announced for so long is forgotten; several rounds of announcements.',
    ),
    PRESENCE_BUCKET_MS: numberVariable(150, 10, 1_000).describe(
      'Changes are collected for so long before they are told to the realtime nodes.',
    ),
  });
export type Config = z.infer<typeof schema>;
