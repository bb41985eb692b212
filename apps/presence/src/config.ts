import { baseConfig, brokerConfig, numberVariable, redisConfig, tokenConfig } from '@parley/service';
import type { z } from 'zod';

export const schema = baseConfig
  .extend({ PORT: numberVariable(3004, 0, 65_535) })
  .extend(tokenConfig.shape)
  .extend(redisConfig.shape)
  .extend(brokerConfig.shape)
  .extend({
    /** How long a user whose last socket closed still counts as connected: a page reload is no absence. */
    PRESENCE_CLOSE_GRACE_MS: numberVariable(2_000, 0, 60_000),
    /** How long after a realtime node was last heard its users still count as connected. */
    PRESENCE_NODE_GRACE_MS: numberVariable(10_000, 1_000, 60_000),
    /** Over how long a dead node's users go offline, so that their going is no storm. */
    PRESENCE_SPREAD_MS: numberVariable(8_000, 0, 60_000),
    /** A connection that its node has not announced for so long is forgotten; several rounds of announcements. */
    PRESENCE_CONNECTION_TTL_MS: numberVariable(100_000, 5_000, 3_600_000),
    /** Changes are collected for so long before they are told to the realtime nodes. */
    PRESENCE_BUCKET_MS: numberVariable(150, 10, 1_000),
  });
export type Config = z.infer<typeof schema>;
