import { interruptions } from '@parley/tool-local';
import { startSystem } from './system';

/**
 * Runs the whole system for one run of the specs, in a process of its own: tells its parent the gateway's address, and
 * stops everything once the parent lets go of it or is gone.
 */
async function main(): Promise<void> {
  const abandoned = new AbortController();
  const starting = startSystem('e2e', {
    scale: { realtime: 2, messaging: 2 },
    signal: abandoned.signal,
  });
  const end = (): void => {
    if (abandoned.signal.aborted) return;
    abandoned.abort(new Error('The run is over.'));
    void starting
      .then((system) => system.stop())
      .catch(() => undefined)
      .finally(() => process.exit());
  };
  process.once('disconnect', end);
  interruptions().addEventListener('abort', end);
  const { url } = await starting;
  process.send?.({ url });
}

main().catch((error: unknown) => {
  const { message, advice } = error as { message?: string; advice?: string };
  process.exitCode = 1;
  if (!process.connected) return;
  process.send?.({ error: [message, advice].filter(Boolean).join(' ') });
  process.disconnect();
});
