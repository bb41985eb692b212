import { baseConfig, brokerConfig, databaseConfig, portVariable, tokenConfig } from '@parley/service';
import type { z } from 'zod';

export const schema = baseConfig
  .extend({ PORT: portVariable(3003) })
  .extend(tokenConfig.shape)
  .extend(databaseConfig.shape)
  .extend(brokerConfig.shape);
export type Config = z.infer<typeof schema>;
