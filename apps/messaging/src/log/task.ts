import type { Span } from '@opentelemetry/api';
import { Moved } from '@parley/broker';
import type { CommandData, CommandName, ParleyError } from '@parley/contracts';
import { unavailable } from '@parley/contracts';
import type { LogRow } from './log.store';

export type Outcome = { reply: object } | { error: ParleyError };

/** One command on its way through its owner. */
export interface Task {
  /** Order of arrival; everything is decided, and decided again, in this order. */
  sequence: number;
  name: CommandName;
  data: CommandData<CommandName>;
  /** When its asker gives up: monotonic, in milliseconds. */
  expiresAt: number;
  requestHash: string;
  /** The span of the command, where its trace is sampled. */
  span?: Span;
  /** The messages that it names were asked from the log: what is not cached now does not exist. */
  messagesLoaded?: boolean;
  /** The log said that it has this client id already; its message is looked up before anything is decided. */
  isKnownRepeat?: boolean;
  /** The log was asked whether this send is a repeat. */
  repeatChecked?: boolean;
  /** It may be answered as a repeat, or refused, but not be accepted any more. */
  isOvertaken?: boolean;
  /** What was decided; may only leave once everything decided before it is committed. */
  outcome?: Outcome;
  row?: LogRow;
  /** An append of its row ended without saying whether it is stored; it may still come to be. */
  isInDoubt?: boolean;
  resolve(reply: object): void;
  reject(error: Error): void;
}

/** A command whose asker gives up sooner than this is not stored any more: storing and answering it would come too late. */
const LEFT_MS_MIN = 200;

/** `now` by the clock of `expiresAt`. */
export function isTooLate({ expiresAt }: Task, now: number): boolean {
  return expiresAt - now < LEFT_MS_MIN;
}

export function refuseLate(task: Task): void {
  task.reject(unavailable('The command waited too long.'));
}

/**
 * Those that are too late, with what their senders, and those of other `refused` tasks, asked after them: that must not
 * overtake the repeat.
 */
export function partLate(tasks: Task[], now: number, refused: Task[] = []): { late: Task[]; left: Task[] } {
  const tooLate = tasks.filter((task) => isTooLate(task, now));
  const actors = new Set([...tooLate, ...refused].map(({ data }) => data.actorId));
  if (actors.size === 0) return { late: [], left: tasks };
  const isLate = ({ data }: Task) => actors.has(data.actorId);
  return { late: tasks.filter(isLate), left: tasks.filter((task) => !isLate(task)) };
}

/**
 * Refused after the log was asked for what it might repeat. Later sends of its asker were decided meanwhile, and may be stored: it
 * must not be accepted behind them.
 */
function isOvertaken({ isOvertaken, repeatChecked, outcome }: Task): boolean {
  return isOvertaken === true || (repeatChecked === true && outcome !== undefined && 'error' in outcome);
}

export function staleRefusal(): ParleyError {
  return unavailable('What it was refused on may not hold any more.');
}

/** To whoever owns the partition now, unless that one must not accept it either. */
export function moveOn(task: Task): void {
  task.reject(isOvertaken(task) ? staleRefusal() : new Moved());
}

/** It is to be decided anew: what was decided is void, what the log was asked for it may have changed, and what was loaded for it is dropped. */
export function forget(task: Task): void {
  task.isOvertaken = isOvertaken(task);
  task.row = undefined;
  task.outcome = undefined;
  task.isInDoubt = false;
  task.repeatChecked = false;
  task.messagesLoaded = false;
}

export function answer(task: Task): void {
  const { outcome } = task;
  if (outcome === undefined) throw new Error('a task was answered before it was decided');
  if ('error' in outcome) task.reject(outcome.error);
  else task.resolve(outcome.reply);
}
