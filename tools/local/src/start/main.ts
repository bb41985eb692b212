import { once } from 'node:events';
import { mkdirSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { requireFreePort } from '../apps/gateway';
import { type Stack, startStack } from '../apps/stack';
import { readPidFile, removePidFile, writePidFile } from '../process/process-table';
import { stopLeftovers } from '../process/leftovers';
import { givenServers } from '../servers/given';
import { certificatePaths } from '../servers/certificates';
import { interruptions } from '../system/interruption';
import { LocalError } from '../system/local-error';
import { loadState } from '../system/state';
import { type DemoLogin, demoLogins, proveDelivery } from './demo';
import { requireDiskSpace } from './disk';
import { parseOptions, type StartOptions, USAGE } from './options';
import { Progress } from './progress';
import { removeRunning, writeRunning } from './running';
import { supervise } from './supervise';

const WORKSPACE = resolve(__dirname, '../../../..');

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const dir = runDirectory();
  const progress = new Progress();
  requireDiskSpace(dir);
  claim(dir);
  const interrupted = interruptions();
  try {
    const leftovers = await stopLeftovers(dir);
    if (leftovers.length > 0) progress.step(`Stopped what a crash had left: ${leftovers.join(', ')}`);
    await requireFreePort(options.port);
    const stack = await start(dir, options, progress, interrupted);
    const ca = options.tls ? certificatePaths(join(dir, 'certificates'), 'gateway').ca : undefined;
    if (stack) await runUntil(interrupted, stack, dir, progress, ca);
  } finally {
    removePidFile(dir, 'start');
  }
}

/** start.mjs names the directory by the very variable that marks this process as belonging to it. */
function runDirectory(): string {
  const dir = process.env['PARLEY_RUN_DIR'];
  if (!dir) throw new LocalError('PARLEY_RUN_DIR is not set.', 'Start with: npm start');
  mkdirSync(dir, { recursive: true });
  return realpathSync(dir);
}

/** @throws LocalError when another start runs here. */
function claim(dir: string): void {
  const other = readPidFile(dir, 'start');
  if (other !== undefined && other !== process.pid)
    throw new LocalError(
      `parley runs here already (process ${other}).`,
      `Press Ctrl-C in its terminal, or run: kill ${other}`,
    );
  writePidFile(dir, 'start', process.pid);
}

/** Undefined when it was interrupted; nothing runs then. */
async function start(
  dir: string,
  options: StartOptions,
  progress: Progress,
  interrupted: AbortSignal,
): Promise<Stack | undefined> {
  try {
    return await startStack({
      workspace: WORKSPACE,
      dir,
      scale: options.scale,
      servers: {
        given: givenServers(process.env),
        store: options.store,
        onProgress: (line) => progress.step(line),
      },
      gateway: {
        port: options.port,
        ...(options.tls ? { webOrigins: [`https://localhost:${options.port}`] } : {}),
      },
      ...(options.tls ? { certificates: join(dir, 'certificates') } : {}),
      ...(options.monitor ? { prometheus: {} } : {}),
      signal: interrupted,
      onStep: (step) => progress.step(step),
      onReady: (name) => progress.detail(`${name} is ready`),
    });
  } catch (error) {
    if (!interrupted.aborted) throw error;
    progress.step('Stopped in the middle of the start');
    return undefined;
  }
}

async function runUntil(
  interrupted: AbortSignal,
  stack: Stack,
  dir: string,
  progress: Progress,
  ca: string | undefined,
): Promise<void> {
  let stopping = false;
  try {
    const logins = demoLogins(loadState(dir).passwords.demo);
    progress.step('Sending one message from alice to bob');
    const end = interrupted.aborted ? Promise.resolve() : once(interrupted, 'abort');
    const tookMs = await Promise.race([proveDelivery(stack.gateway.url, logins), end]);
    if (typeof tookMs !== 'number') return;
    progress.step(`It arrived after ${Math.round(tookMs)} ms`);
    const url = ca === undefined ? `http://localhost:${stack.gateway.port}` : stack.gateway.url;
    writeRunning(dir, { url: stack.gateway.url, logins, ...(ca === undefined ? {} : { ca }) });
    greet(url, ca, logins, stack.prometheus?.url);
    const say = (line: string): void => progress.step(line);
    const watched = [...stack.apps.instances, stack.gateway];
    void Promise.all(watched.map((instance) => supervise(instance, () => stopping, say)));
    await end;
  } finally {
    stopping = true;
    progress.step('Stopping');
    removeRunning(dir);
    await stack.stop();
    progress.step(`Stopped. Data stays in ${relative(WORKSPACE, dir)}; npm start goes on from here`);
  }
}

function greet(url: string, ca: string | undefined, logins: DemoLogin[], prometheusUrl?: string): void {
  const lines = [
    '',
    `parley is at ${url}`,
    ...logins.map(({ username, password }) => `  login ${username.padEnd(5)}  password ${password}`),
    ...(prometheusUrl ? [`  Prometheus ${prometheusUrl}/alerts`] : []),
    ...(ca === undefined ? [] : trustAdvice(url, relative(WORKSPACE, ca))),
    '',
    'Try next:',
    '  npm run chat -- --as alice     and, in a second terminal, --as bob',
    `  ${url}/docs    the HTTP and socket interfaces`,
    '  tail -f .local/logs/*.log      what happens inside',
    '  npm start -- --scale realtime=2,messaging=2',
    '',
    'Ctrl-C stops everything; the data stays in .local.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Nobody trusts a private authority by itself. */
function trustAdvice(url: string, ca: string): string[] {
  return [
    '',
    `Its certificate is of an authority made here, ${ca}. Trust it with:`,
    `  curl --cacert ${ca} ${url}/v1/limits`,
    `  NODE_EXTRA_CA_CERTS=${ca} node …     (npm run chat does so by itself)`,
    '  or import the file into the browser as an authority for websites',
  ];
}

main().catch((error: unknown) => {
  const advice = error instanceof LocalError ? error.advice : adviceFor(error as NodeJS.ErrnoException);
  const message = error instanceof LocalError ? error.message : (error as Error).stack;
  process.stderr.write(`\n${message}\n\n${advice}\n`);
  process.exitCode = 1;
});

function adviceFor(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOSPC') return 'The disk is full: free some space and start again.';
  return 'This is a mistake of parley itself; the lines above belong into a report.';
}
