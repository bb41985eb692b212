import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startAuth } from './app';
import { configSchema } from './config';

void startAuth(loadConfig(configSchema));
