import type { Requester } from '@parley/broker';
import { type LogEvent, unavailable } from '@parley/contracts';
import { faultOf } from '../feed/batch.pieces';

const PAGE_ROWS = 1_000;

/**
 * What the log of one partition says about parked events: their rows, and what came later in their conversations, as far
 * as it bears on who was a member and who is to be told. Of messages the newest are held: older entries are not kept.
 */
export class LogExcerpt {
  /** Of the log, once something was read. */
  epoch = '';
  private readTo: number;
  private readonly rows = new Map<number, unknown>();
  private readonly changes = new Map<string, LogEvent[]>();
  private readonly messages = new Map<string, LogEvent[]>();

  /** @param positions of the parked events; at least one */
  constructor(
    private readonly requester: Requester,
    private readonly partition: number,
    private readonly positions: ReadonlySet<number>,
    private readonly messagesMax: number,
  ) {
    this.readTo = Math.min(...positions) - 1;
  }

  /** Reads on to the head of the log. @throws ParleyError `unavailable` when messaging does not answer */
  async catchUp(): Promise<void> {
    for (;;) {
      const question = { partition: this.partition, after: this.readTo, limit: PAGE_ROWS };
      const { epoch, head, rows } = await this.requester.query('messaging.replay', question);
      if (this.epoch !== '' && this.epoch !== epoch) throw unavailable('The log was replaced meanwhile.');
      this.epoch = epoch;
      for (const row of rows) this.take(row);
      this.readTo = rows.at(-1)?.position ?? this.readTo;
      if (rows.length === 0 || this.readTo >= head) return;
    }
  }

  /** The row of a parked event, as it stands there now; it may be broken. Undefined where the log has none. */
  at(position: number): unknown {
    return this.rows.get(position);
  }

  /** Rows after this one that create, delete or change members of its conversation, in their order. */
  changesAfter({ conversationId, position }: LogEvent): LogEvent[] {
    return (this.changes.get(conversationId) ?? []).filter((row) => row.position > position);
  }

  /** The newest messages of its conversation after this row. */
  messagesAfter({ conversationId, position }: LogEvent): LogEvent[] {
    return (this.messages.get(conversationId) ?? []).filter((row) => row.position > position);
  }

  private take(row: LogEvent): void {
    const isParked = this.positions.has(row.position);
    if (isParked) this.rows.set(row.position, row);
    if (!isParked && !this.changes.has(row.conversationId)) return;
    if (faultOf(this.partition, row) !== undefined) return;
    const { conversationId, kind } = row;
    const changes = this.changes.get(conversationId) ?? [];
    this.changes.set(conversationId, changes);
    if (changesMembers(row)) changes.push(row);
    if (kind !== 'message.created') return;
    const messages = this.messages.get(conversationId) ?? [];
    this.messages.set(conversationId, messages);
    messages.push(row);
    if (messages.length > this.messagesMax) messages.shift();
  }
}

export function changesMembers({ kind }: LogEvent): boolean {
  return kind === 'conversation.created' || kind === 'conversation.deleted' || kind === 'member.changed';
}
