import 'reflect-metadata';
import { loadConfig, runMigration } from '@parley/service';
import { storeSchema } from './config';
import { storeOf } from './store';

/** Brings the view's store up to date and ends. Any number may run at once. */
const config = loadConfig(storeSchema);
runMigration(() => storeOf(config).migrate(config));
