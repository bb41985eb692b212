import 'reflect-metadata';
import { getLogger, loadConfig, runMigration } from '@parley/service';
import { storeConfigSchema } from './config';
import { startAnew } from './store';

/** After a restore, while messaging stands still: gives the deployment another epoch. It may be repeated. */
const config = loadConfig(storeConfigSchema);
runMigration(async () => {
  const epoch = await startAnew(config);
  getLogger('Epoch').info({ epoch }, 'The deployment has a new epoch.');
});
