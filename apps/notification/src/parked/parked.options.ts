import { parseArgs } from 'node:util';
import { PARTITIONS } from '@parley/contracts';
import type { Place } from './parked.store';

export const usage = `usage: node dist/parked-events.js list [--limit N]                    what is parked, the oldest first
       node dist/parked-events.js replay --all | PARTITION/POSITION  try it again
       node dist/parked-events.js discard PARTITION/POSITION         forget it for good`;

export type Options =
  { verb: 'list'; limit: number } | { verb: 'replay'; place?: Place } | { verb: 'discard'; place: Place };

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 10_000;

/** @throws UsageError */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parsed(args);
  const [verb, name, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`${rest.join(' ')} is too much.`);
  if (values.all !== undefined && verb !== 'replay') throw new UsageError('--all is an option of replay.');
  if (values.limit !== undefined && verb !== 'list') throw new UsageError('--limit is an option of list.');
  if (verb === 'list') {
    if (name !== undefined) throw new UsageError(`${name} is too much: list takes no event.`);
    return { verb, limit: readLimit(values.limit) };
  }
  if (verb === 'replay') {
    if ((name !== undefined) === (values.all === true))
      throw new UsageError('replay takes either one event or --all.');
    return name === undefined ? { verb } : { verb, place: readPlace(name) };
  }
  if (verb === 'discard') {
    if (name === undefined) throw new UsageError('discard takes the event that is to be forgotten.');
    return { verb, place: readPlace(name) };
  }
  throw new UsageError(verb === undefined ? 'What is to be done?' : `There is no ${verb}.`);
}

function parsed(args: string[]) {
  try {
    const options = { all: { type: 'boolean' }, limit: { type: 'string' } } as const;
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT_DEFAULT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX)
    throw new UsageError(`--limit must be a whole number from 1 to ${LIMIT_MAX}.`);
  return limit;
}

function readPlace(name: string): Place {
  const [, partition, position] = /^(\d{1,3})\/(\d{1,15})$/.exec(name) ?? [];
  if (partition === undefined || position === undefined || Number(partition) >= PARTITIONS)
    throw new UsageError(`${name} is no event: write PARTITION/POSITION as list does, for example 17/4711.`);
  return { partition: Number(partition), position: Number(position) };
}
