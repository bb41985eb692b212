import 'reflect-metadata';
import { getLogger, loadConfig } from '@parley/service';
import { storeConfigSchema } from './config';
import { renewEpoch } from './log/log.origin';
import { withStores } from './store';

/** After a restore, while messaging stands still: gives the deployment another epoch, in every store that holds it. */
void withStores(loadConfig(storeConfigSchema), renewEpoch).then((epoch) =>
  getLogger('Epoch').info({ epoch }, 'The deployment has a new epoch.'),
);
