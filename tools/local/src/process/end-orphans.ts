import { existsSync, rmSync } from 'node:fs';
import { stopLeftovers } from './leftovers';

/** `end-orphans DIR OWNER_PID [--remove]` ends what that process, which is gone, had started under DIR: see guardian.ts. */
async function main(): Promise<void> {
  const [dir, ownerPid, remove] = process.argv.slice(2);
  if (!dir || !ownerPid) throw new Error('usage: end-orphans DIR OWNER_PID [--remove]');
  if (!existsSync(dir)) return;
  await stopLeftovers(dir, Number(ownerPid));
  // What was cut off in the middle, an initdb for example, may still write there.
  if (remove) rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
}

void main();
