import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { startHistory } from './app';
import { schema } from './config';

void startHistory(loadConfig(schema));
