import 'reflect-metadata';
import { startBroker } from '@parley/broker';
import { loadConfig, runService } from '@parley/service';
import { AppModule } from './app.module';
import { schema } from './config';

const config = loadConfig(schema);
void runService({ name: 'presence', module: AppModule.register(config), config, start: startBroker });
