import type { StoreConfig } from './config';
import type { StoreKind } from './store.kind';
import { mongoStore } from './store.mongo';
import { postgresStore } from './store.postgres';

/** The one place that chooses the store. */
export function storeOf(config: StoreConfig): StoreKind {
  return { postgresql: postgresStore, mongodb: mongoStore }[config.MESSAGE_STORE];
}
