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

const stores = z
  .object(databaseConfig.partial({ DATABASE_URL: true }).shape)
  .extend(messageStoreConfig.shape);
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
