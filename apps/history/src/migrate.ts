import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { storeSchema } from './config';
import { storeOf } from './store';

/** Brings the view's store up to date and ends. Any number may run at once. */
const config = loadConfig(storeSchema);
void storeOf(config).migrate(config);
