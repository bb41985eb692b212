import 'reflect-metadata';
import { loadConfig, runMigration } from '@parley/service';
import { storeConfigSchema } from './config';
import { migrateStores } from './store';

/** Brings the stores up to date and ends. Any number may run at once. */
const config = loadConfig(storeConfigSchema);
runMigration(() => migrateStores(config));
