import { Injectable } from '@nestjs/common';
import { RowsDoNotFollow, type FeedHandler, type TracesOfRows } from '@parley/broker';
import { logEventKinds, type PartitionRows } from '@parley/contracts';
import { getLogger, histogram, isBackingServiceAway } from '@parley/service';
import { BatchApplier } from './batch.applier';
import { piecesOf, restOf, sift } from './batch.pieces';
import { ConversationCache } from './conversation.cache';
import { FeedStore, OutOfStep } from './feed.store';

const log = getLogger('NotificationFeed');

const ROWS_PER_TRANSACTION = 1_000;

const applySeconds = histogram('notification_apply_seconds', 'Time to apply one batch of rows.');

/** Takes the log's rows into the lists. One batch at a time, and no position is read while one is under way. */
@Injectable()
export class NotificationFeed implements FeedHandler {
  private epoch = '';
  /** Of the batch under way. */
  private traces?: TracesOfRows;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: FeedStore,
    private readonly cache: ConversationCache,
    private readonly applier: BatchApplier,
  ) {}

  load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    return this.inTurn(async () => {
      this.cache.forget(new Set(partitions));
      this.epoch = epoch;
      return this.store.load(partitions, epoch);
    });
  }

  positions(partitions: number[]): Promise<Map<number, number>> {
    return this.inTurn(() => {
      this.cache.forget(new Set(partitions));
      return this.store.positions(partitions, this.epoch);
    });
  }

  apply(batch: PartitionRows[], traces?: TracesOfRows): Promise<void> {
    return this.inTurn(async () => {
      this.traces = traces;
      const end = applySeconds.startTimer();
      for (const piece of piecesOf(batch, ROWS_PER_TRANSACTION)) await this.applyPiece(piece);
      end();
    });
  }

  private async applyPiece(piece: PartitionRows[]): Promise<void> {
    try {
      await this.take(piece);
    } catch (error) {
      if (error instanceof OutOfStep) await this.applyRest(piece, error);
      else if (isBackingServiceAway(error)) throw error;
      else await this.applySound(piece, error);
    }
  }

  private take(piece: PartitionRows[]): Promise<void> {
    return isOfLaterRelease(piece)
      ? this.applySound(piece, new Error('rows of a later release'))
      : this.applier.apply(this.epoch, { covered: piece, traces: this.traces });
  }

  /** Another instance fed these partitions for a moment: its rows are skipped, its memberships read anew. */
  private async applyRest(piece: PartitionRows[], error: OutOfStep): Promise<void> {
    this.cache.forget(new Set(piece.map(({ partition }) => partition)));
    const rest = restOf(piece, error.positions);
    if (!rest) throw new RowsDoNotFollow();
    if (rest.length > 0) await this.take(rest);
  }

  /** The database refused something that is not its own trouble: rows that nobody can apply are put aside. */
  private async applySound(piece: PartitionRows[], error: unknown): Promise<void> {
    const { sound, parked } = sift(piece);
    if (parked.length === 0) throw error;
    await this.applier.apply(this.epoch, { covered: piece, batch: sound, parked, traces: this.traces });
    for (const { partition, position, reason } of parked)
      log.error({ partition, position, reason }, 'A row of the log cannot be applied and was put aside.');
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

/** A kind that this release does not know may matter: it is put aside for the release that does. */
function isOfLaterRelease(piece: PartitionRows[]): boolean {
  return piece.some(({ rows }) => rows.some(({ kind }) => !logEventKinds.has(kind)));
}
