import 'reflect-metadata';
import { databaseConfig, loadConfig, runMigration, runMigrations } from '@parley/service';
import { databaseSettings } from './database';

/** Brings the schema `auth` up to date and ends. Any number may run at once. */
const settings = databaseSettings(loadConfig(databaseConfig));
runMigration(() => runMigrations(settings));
