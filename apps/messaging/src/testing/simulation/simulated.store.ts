import type { ConversationState, MessageState } from '../../conversation/conversation.state';
import type { LogEvent } from '@parley/contracts';
import type { LogRow, StoredEvent, Tail } from '../../log/log.store';
import { ClientIdTaken, LogStore, PositionTaken } from '../../log/log.store';

/**
 * A log in memory that promises exactly what LogStore promises: uniqueness and all-or-nothing appends. It checks no term
 * and no density: these are the owner's duty, and the simulation's to verify.
 */
export class MemoryLog extends LogStore {
  readonly rows = new Map<number, Map<number, LogRow>>();
  private readonly clientIds = new Map<string, string>();
  private readonly versions = new Set<string>();
  private readonly byMessage = new Map<string, LogRow[]>();
  private readonly states = new Map<string, ConversationState>();

  override async append(rows: LogRow[]): Promise<void> {
    for (const row of rows) {
      if (this.rows.get(row.partition)?.has(row.position)) throw new PositionTaken(row.partition);
      if (row.clientMessageId !== null && this.clientIds.has(clientKey(row))) {
        throw new ClientIdTaken(row.conversationId, row.senderId!, row.clientMessageId);
      }
      if (row.version !== null && this.versions.has(`${row.conversationId}/${row.version}`)) {
        throw new Error(`version ${row.version} of ${row.conversationId} exists`);
      }
    }
    for (const row of rows) this.store(row);
  }

  override tails(partitions: number[]): Promise<Map<number, Tail>> {
    const tail = (partition: number): Tail => {
      const last = Math.max(0, ...(this.rows.get(partition)?.keys() ?? []));
      return { position: last, term: this.rows.get(partition)?.get(last)?.term ?? 0 };
    };
    return Promise.resolve(new Map(partitions.map((partition) => [partition, tail(partition)])));
  }

  override read(partition: number, after: number, limit: number): Promise<StoredEvent[]> {
    const rows = [...(this.rows.get(partition)?.values() ?? [])]
      .filter((row) => row.position > after)
      .sort((a, b) => a.position - b.position)
      .slice(0, limit);
    return Promise.resolve(rows.map(({ position, event }) => ({ position, event })));
  }

  override conversations(ids: string[]): Promise<Map<string, ConversationState>> {
    const found = ids.flatMap((id) => this.states.get(id) ?? []);
    return Promise.resolve(new Map(found.map((state) => [state.id, structuredClone(state)])));
  }

  override messages(ids: string[]): Promise<Map<string, MessageState>> {
    const found = new Map<string, MessageState>();
    for (const id of ids) {
      const rows = this.byMessage.get(id);
      if (!rows) continue;
      const latest = rows.reduce((a, b) => (b.version! > a.version! ? b : a));
      const event = JSON.parse(latest.event) as Extract<LogEvent, { message: unknown }>;
      const reactors =
        latest.reactors === null ? undefined : (JSON.parse(latest.reactors) as MessageState['reactors']);
      found.set(id, {
        message: event.message,
        requestHash: rows[0]!.requestHash!,
        ...(reactors && { reactors }),
      });
    }
    return Promise.resolve(found);
  }

  override messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined> {
    return Promise.resolve(this.clientIds.get(`${conversationId}/${senderId}/${clientMessageId}`));
  }

  private store(row: LogRow): void {
    const partition = this.rows.get(row.partition) ?? new Map<number, LogRow>();
    this.rows.set(row.partition, partition);
    partition.set(row.position, row);
    if (row.version !== null) this.versions.add(`${row.conversationId}/${row.version}`);
    if (row.clientMessageId !== null) this.clientIds.set(clientKey(row), row.messageId!);
    if (row.messageId !== null) {
      const ofMessage = this.byMessage.get(row.messageId);
      if (ofMessage) ofMessage.push(row);
      else this.byMessage.set(row.messageId, [row]);
    }
    const { memberCount: _derived, ...head } = row.conversation;
    const members = this.states.get(row.conversationId)?.members ?? new Map<string, never>();
    for (const { userId, role, joinedAt } of row.memberships) {
      if (role === null) members.delete(userId);
      else members.set(userId, { role, joinedAt });
    }
    this.states.set(row.conversationId, { ...head, members });
  }
}

function clientKey(row: LogRow): string {
  return `${row.conversationId}/${row.senderId}/${row.clientMessageId}`;
}
