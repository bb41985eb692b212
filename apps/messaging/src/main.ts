import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startMessaging } from './app';
import { configSchema } from './config';

void startMessaging(loadConfig(configSchema));
