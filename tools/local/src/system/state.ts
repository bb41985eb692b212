import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What must be the same at the next start under the same directory. */
export interface LocalState {
  passwords: {
    postgres: string;
    redis: string;
    rabbitmq: string;
    erlangCookie: string;
    demo: string;
    /** Made at the first start with MongoDB. */
    mongodb?: string;
  };
  /** The ports of the last start, by name; kept where they are still free. */
  ports: Record<string, number>;
}

/** Reads the state of `dir`; makes it, with fresh passwords, at the first start. */
export function loadState(dir: string): LocalState {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'state.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as LocalState;
  const state: LocalState = {
    passwords: {
      postgres: secret(),
      redis: secret(),
      rabbitmq: secret(),
      erlangCookie: secret(),
      demo: secret(),
    },
    ports: {},
  };
  saveState(dir, state);
  return state;
}

/** Writes by rename, so that a crash leaves the old or the new state, never half of one. */
export function saveState(dir: string, state: LocalState): void {
  const file = join(dir, 'state.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function secret(): string {
  return randomBytes(18).toString('base64url');
}
