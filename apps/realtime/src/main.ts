import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startRealtime } from './app';
import { schema } from './config';

void startRealtime(loadConfig(schema));
