import { constants } from 'node:os';
import { getLogger } from './logging';

const log = getLogger('Migration');

/**
 * What `apps/<name>/src/migrate.ts` consists of: carries out the migrations, and where they fail ends the process with 1 and says
 * in its log why, as a service does; whoever started it tries again. A signal ends it at once: migrations may be cut off anywhere,
 * and process 1 of a container would hear none that it does not listen for.
 */
export function runMigration(migrate: () => Promise<unknown>): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      log.warn({ signal }, 'A signal ends the migration; the next one goes on with it.');
      process.exit(128 + constants.signals[signal]);
    });
  migrate().catch((error: unknown) => {
    log.fatal({ err: error }, 'The store could not be brought up to date.');
    process.exit(1);
  });
}
