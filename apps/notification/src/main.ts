import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startNotification } from './app';
import { schema } from './config';

void startNotification(loadConfig(schema));
