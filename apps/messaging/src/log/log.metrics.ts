import { counter, gauge, histogram } from '@parley/service';
import type { LogRow } from './log.store';

const rows = counter('parley_log_rows_total', 'Rows appended to the conversation log.', ['kind']);
const batchRows = histogram(
  'parley_log_batch_rows',
  'Rows stored by one append.',
  [],
  [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
);
const appendSeconds = histogram('parley_log_append_seconds', 'Duration of one append, until it is durable.');

export function observeCommit(committed: LogRow[], durationMs: number): void {
  batchRows.observe(committed.length);
  appendSeconds.observe(durationMs / 1000);
  rows.inc({ kind: 'message' }, committed.filter((row) => row.number !== null).length);
  rows.inc({ kind: 'other' }, committed.filter((row) => row.number === null).length);
}

export function observeOwnership(count: () => number): void {
  gauge('parley_log_partitions_owned', 'Partitions that this instance owns.', [], function () {
    this.set(count());
  });
}

export function observeMemory(of: () => { bytes: number; limit: number }): void {
  gauge(
    'parley_log_memory_bytes',
    'What the conversations that an owner remembers are reckoned to take.',
    [],
    function () {
      this.set(of().bytes);
    },
  );
  gauge('parley_log_memory_limit_bytes', 'What they may take.', [], function () {
    this.set(of().limit);
  });
}

export const conversationsRead = counter(
  'parley_log_conversations_read_total',
  'Conversations that an owner read into memory.',
);

/** What autoscaling goes by: an owner that keeps up has few in hand. */
export const commandsWaiting = gauge(
  'parley_commands_waiting',
  'Commands that this instance has taken and not answered.',
);

/** Seconds from the arrival of a command to its answer. */
export const commandSeconds = histogram(
  'parley_command_seconds',
  'From the arrival of a command to its answer.',
  ['command', 'outcome'],
);

export const partitionStops = counter(
  'parley_log_partition_stops_total',
  'Times that a partition was not served because its log lacks a row.',
);

export const readsFailed = counter(
  'parley_log_reads_failed_total',
  'Times that an owner could not read the log.',
);

export const appendsInDoubt = counter(
  'parley_log_appends_in_doubt_total',
  'Appends that ended without an answer of the store; the log is read, and they are repeated while somebody waits.',
);
