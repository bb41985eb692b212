import {
  baseConfig,
  brokerConfig,
  chooseMessageStore,
  databaseConfig,
  messageStoreConfig,
  portVariable,
  tokenConfig,
} from '@parley/service';
import { z } from 'zod';

/** Where the log is. Whichever store has it, what is read of it is in PostgreSQL. */
const stores = { postgresql: ['DATABASE_URL'], mongodb: ['DATABASE_URL', 'MONGODB_URL'] } as const;

export const storeConfigSchema = chooseMessageStore(
  z.object({ ...databaseConfig.shape, ...messageStoreConfig.shape }),
  stores,
);
export type StoreConfig = z.infer<typeof storeConfigSchema>;

export const configSchema = chooseMessageStore(
  baseConfig.extend({
    ...databaseConfig.shape,
    ...messageStoreConfig.shape,
    ...brokerConfig.shape,
    ...tokenConfig.shape,
    PORT: portVariable(3002),
  }),
  stores,
);
export type MessagingConfig = z.infer<typeof configSchema>;
