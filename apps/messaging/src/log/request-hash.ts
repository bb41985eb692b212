import { hash } from 'node:crypto';
import type { CommandData, CommandName } from '@parley/contracts';

/**
 * Tells whether two sends ask for the same: a keyed hash of every field, 128 bits in hex. Keyed, so that it says
 * nothing about a body that was erased.
 */
export function requestHasher(key: Buffer) {
  const prefix = key.toString('hex');
  return (command: CommandName, data: CommandData<CommandName>): string => {
    const fields = Object.entries(data)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return hash('sha256', prefix + JSON.stringify([command, fields]), 'hex').slice(0, 32);
  };
}
