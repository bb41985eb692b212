import { baseConfig, brokerConfig, databaseConfig, numberVariable, tokenConfig } from '@parley/service';
import type { z } from 'zod';

export const configSchema = baseConfig.extend({
  ...databaseConfig.shape,
  ...brokerConfig.shape,
  ...tokenConfig.shape,
  PORT: numberVariable(3002, 0, 65_535),
});
export type MessagingConfig = z.infer<typeof configSchema>;
