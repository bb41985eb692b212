import { baseConfig, brokerConfig, databaseConfig, numberVariable, tokenConfig } from '@parley/service';
import type { z } from 'zod';

export const schema = baseConfig
  .extend({ PORT: numberVariable(3003, 0, 65_535) })
  .extend(tokenConfig.shape)
  .extend(databaseConfig.shape)
  .extend(brokerConfig.shape);
export type Config = z.infer<typeof schema>;
