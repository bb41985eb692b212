import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startPresence } from './app';
import { schema } from './config';

void startPresence(loadConfig(schema));
