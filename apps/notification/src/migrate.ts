import 'reflect-metadata';
import { databaseConfig, loadConfig, runMigrations } from '@parley/service';
import { databaseSettings } from './database';

/** Brings the schema `notification` up to date and ends. Any number may run at once. */
void runMigrations(databaseSettings(loadConfig(databaseConfig)));
