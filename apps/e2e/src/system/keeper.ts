import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startStack, type Stack } from '@parley/tool-local';

/**
 * Runs the whole system for one run of the specs, in a process of its own: tells its parent the gateway's address, and
 * stops everything once the parent lets go of it or is gone.
 */
const WORKSPACE = resolve(__dirname, '../../../..');

/** Nobody at the specs is to be refused for being one of many behind one address. */
const PLENTY = '1000000';
const rates = [
  'USER_SECOND',
  'USER_MINUTE',
  'ADDRESS_MINUTE',
  'ADDRESS_HOUR',
  'REFRESH_MINUTE',
  'PUBLIC_MINUTE',
  'SOCKET_MINUTE',
];

async function main(): Promise<void> {
  const runDir = process.env['PARLEY_TEST_DIR'];
  if (!runDir)
    throw new Error('PARLEY_TEST_DIR is not set: run jest with the jest.config.js of this project.');
  const dir = join(runDir, 'e2e');
  mkdirSync(dir, { mode: 0o711 });

  const abandoned = new AbortController();
  let stack: Stack | undefined;
  process.once('disconnect', () => {
    abandoned.abort(new Error('The run is over.'));
    void stack?.stop().finally(() => process.exit());
  });
  stack = await startStack({
    workspace: WORKSPACE,
    dir,
    scale: { realtime: 2, messaging: 2 },
    servers: { durable: false },
    gateway: { env: Object.fromEntries(rates.map((name) => [`RL_${name}`, PLENTY])) },
    envOf: {
      auth: { REGISTRATIONS_PER_ADDRESS_MAX: PLENTY, LOGIN_FAILURES_PER_ADDRESS_MAX: PLENTY },
    },
    signal: abandoned.signal,
  });
  if (!process.connected) await stack.stop();
  else process.send?.({ url: `http://127.0.0.1:${stack.gateway.port}` });
}

main().catch((error: unknown) => {
  const { message, advice } = error as { message?: string; advice?: string };
  if (process.connected) process.send?.({ error: [message, advice].filter(Boolean).join(' ') });
  process.exitCode = 1;
  if (process.connected) process.disconnect();
});
