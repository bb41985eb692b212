import { randomBytes } from 'node:crypto';

/** A name for something that one suite owns; it tells when it was made. */
export function freshName(): string {
  return `test_${Date.now().toString(36)}_${randomBytes(6).toString('hex')}`;
}

/** When a name of `freshName` was made, in milliseconds since 1970; undefined for any other name. */
export function madeAtOf(name: string): number | undefined {
  const match = /^test_([0-9a-z]+)_[0-9a-f]{12}$/.exec(name);
  return match?.[1] === undefined ? undefined : parseInt(match[1], 36);
}
