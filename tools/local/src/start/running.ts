import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoLogin } from './demo';

/** What runs under a directory, for other programs of the same person: the address and the demo logins. */
export interface Running {
  url: string;
  logins: DemoLogin[];
  /** PEM file of the authority of an https address. */
  ca?: string;
}

export function writeRunning(dir: string, running: Running): void {
  writeFileSync(fileOf(dir), `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
}

export function readRunning(dir: string): Running | undefined {
  const file = fileOf(dir);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Running) : undefined;
}

export function removeRunning(dir: string): void {
  rmSync(fileOf(dir), { force: true });
}

function fileOf(dir: string): string {
  return join(dir, 'running.json');
}
