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

const { DATABASE_URL } = databaseConfig.shape;
const stores = z.object({
  ...databaseConfig.shape,
  DATABASE_URL: DATABASE_URL.optional().meta({
    ...DATABASE_URL.meta(),
    description: `${DATABASE_URL.description} Required where it is the store.`,
  }),
  ...messageStoreConfig.shape,
});
const needs = { postgresql: ['DATABASE_URL'], mongodb: ['MONGODB_URL'] } as const;

export const schema = chooseMessageStore(
  baseConfig
    .extend({ PORT: portVariable(3003) })
    .extend(tokenConfig.shape)
    .extend(stores.shape)
    .extend(brokerConfig.shape),
  needs,
);
export type Config = z.infer<typeof schema>;

/** For what needs the store alone. */
export const storeSchema = chooseMessageStore(stores, needs);
export type StoreConfig = z.infer<typeof storeSchema>;
