import { getLogger } from './logging';

/**
 * What `apps/<name>/src/migrate.ts` consists of: carries out the migrations, and where they fail ends the process with 1 and says
 * in its log why, as a service does; whoever started it tries again.
 */
export function runMigration(migrate: () => Promise<unknown>): void {
  migrate().catch((error: unknown) => {
    getLogger('Migration').fatal({ err: error }, 'The store could not be brought up to date.');
    process.exit(1);
  });
}
