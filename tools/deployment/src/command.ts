import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { until } from '@parley/tool-load';
import { LocalError } from '@parley/tool-local';

const WORKSPACE = resolve(__dirname, '../../..');

export interface CommandOptions {
  /** On top of this process's own. */
  env?: Record<string, string>;
  /** Ends the command. */
  signal?: AbortSignal | undefined;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const SHOWN_LINES = 30;

/**
 * Runs a program in the workspace and returns what it printed to its standard output.
 * @throws LocalError with the end of what it printed when it fails or is not there
 */
export async function run(
  program: string,
  args: string[],
  { env, signal }: CommandOptions = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd: WORKSPACE,
      maxBuffer: OUTPUT_BYTES_MAX,
      env: { ...process.env, ...env },
      signal,
    });
    return stdout.trim();
  } catch (error) {
    if (signal?.aborted) throw signal.reason as Error;
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 'ENOENT')
      throw new LocalError(`There is no ${program} here.`, 'Install it, or add it to PATH.');
    const printed = `${stdout}\n${stderr}`.trim().split('\n').slice(-SHOWN_LINES).join('\n  ');
    throw new LocalError(`${program} ${args.join(' ')} failed (${String(code)}):`, printed);
  }
}

/** Asks until it is so. @throws Error that says what was awaited */
export async function awaited(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<void> {
  if (!(await until(isTrue, withinMs))) throw new Error(`Waited ${withinMs / 1000} s in vain: ${what}.`);
}
