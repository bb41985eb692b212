import { partitionOf } from '@parley/contracts';
import { AppendRefused, type ClientIdTaken, type LogRow, type Shortfall } from '../log/log.store';
import { MemoryLog } from './simulation/simulated.store';

/** A log whose trouble the test makes. */
export class Troubled extends MemoryLog {
  isAway = false;
  /** Called at the next append, which then ends without an answer. */
  cutNext?: (rows: LogRow[]) => void;
  /** Each append waits for this. */
  held?: Promise<void>;
  refuses: (row: LogRow) => boolean = () => false;
  onAppend?: () => void;
  /** What the next append meets, and is then lost: a primary that is rolled back had it. */
  meets?: ClientIdTaken;
  onCatchUp?: (partitions: number[]) => Promise<void> | void;
  onRead?: () => void;
  onConversations?: (ids: string[]) => Promise<void> | undefined;
  /** Each question for a client id waits for this. */
  asked?: Promise<void>;
  appends = 0;

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    this.appends += 1;
    this.onAppend?.();
    await this.held;
    const cut = this.cutNext;
    this.cutNext = undefined;
    cut?.(rows);
    if (cut || this.isAway) throw new Error('the line was cut');
    const { meets } = this;
    this.meets = undefined;
    if (meets) return new Map(rows.map(({ partition }) => [partition, { stored: 0, reason: meets }]));
    if (rows.some((row) => this.refuses(row))) throw new AppendRefused('never');
    return super.append(rows);
  }

  override async catchUp(partitions: number[]) {
    await this.onCatchUp?.(partitions);
    if (this.isAway) throw new Error('away');
    return super.catchUp(partitions);
  }

  override async conversations(ids: string[]) {
    const found = await super.conversations(ids);
    await this.onConversations?.(ids);
    return found;
  }

  override async messageIdOf(...asked: Parameters<MemoryLog['messageIdOf']>) {
    await this.asked;
    return super.messageIdOf(...asked);
  }

  override read(...asked: Parameters<MemoryLog['read']>) {
    this.onRead?.();
    return super.read(...asked);
  }

  /** A row of somebody else's, at the end of the partition of this conversation. */
  intrude(conversationId: string, term = 1): void {
    const partition = partitionOf(conversationId);
    const last = this.rows.get(partition)!.get(this.end(partition))!;
    const nobodys = { version: null, messageId: null, number: null, clientMessageId: null };
    this.insert({ ...last, ...nobodys, position: last.position + 1, term });
  }
}
