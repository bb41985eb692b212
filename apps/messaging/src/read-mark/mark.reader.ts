import { TurnBatch } from '@parley/service';
import type { MarkPlace, MarkStore } from './mark.store';

/** Marks that one statement reads at most. */
const BATCH_MAX = 500;

interface Asked extends MarkPlace {
  answer: (readNumber: number) => void;
  fail: (error: unknown) => void;
}

/** Reads where marks stand: those that are asked for in one turn by one statement. */
export class MarkReader {
  private readonly asked = new TurnBatch<Asked>(BATCH_MAX, (batch) => this.readBatch(batch));

  constructor(private readonly store: Pick<MarkStore, 'standing'>) {}

  /** The number that is written; 0 where the user never read anything. Rejects with pg's errors. */
  standing({ userId, conversationId }: MarkPlace): Promise<number> {
    return new Promise((answer, fail) => this.asked.add({ userId, conversationId, answer, fail }));
  }

  private async readBatch(batch: Asked[]): Promise<void> {
    try {
      const standing = await this.store.standing(batch);
      batch.forEach(({ answer }, i) => answer(standing[i] ?? 0));
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }
}
