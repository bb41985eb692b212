import type { LogEvent } from '@parley/contracts';
import type { ConversationState, MessageState } from '../../conversation/conversation.state';
import { toHead } from '../../conversation/conversation.state';
import type {
  LogRow,
  MemberEntry,
  MessageRef,
  Place,
  Shortfall,
  StoredEvent,
  Tail,
} from '../../log/log.store';
import { AppendRefused, ClientIdTaken, LogBroken, LogStore, PositionTaken } from '../../log/log.store';
import { headAfter, isWhole } from '../../log/projection';

/** How an append ends that does not store everything: as PostgreSQL's, whole or not at all, or as MongoDB's, torn. */
export type AppendKind = 'whole' | 'torn';

/**
 * A log in memory that promises exactly what LogStore promises, and as little: uniqueness, appends of either kind, and a
 * projection that follows a torn one. It checks no term and no density: these are the owner's duty, and the
 * simulation's to verify.
 */
export class MemoryLog extends LogStore {
  readonly rows = new Map<number, Map<number, LogRow>>();
  /** The projection: conversations as of the applied position of their partition. */
  readonly states = new Map<string, ConversationState>();
  private readonly applied = new Map<number, number>();
  private readonly clientIds = new Map<string, string>();
  private readonly versions = new Set<string>();
  private readonly byMessage = new Map<string, LogRow[]>();

  constructor(readonly kind: AppendKind = 'whole') {
    super();
  }

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    return this.kind === 'whole' ? this.appendWhole(rows) : this.appendTorn(rows);
  }

  /** Stores one row, without its projection; answers why not. */
  insert(row: LogRow): Error | undefined {
    const reason = this.refusal(row);
    if (!reason) this.store(row);
    return reason;
  }

  /** Projects stored rows; leaves alone the partitions that do not stand exactly before their first row. */
  project(rows: LogRow[]): void {
    const moves = new Map<number, boolean>();
    for (const row of rows) {
      const { partition, position } = row;
      if (!moves.has(partition)) moves.set(partition, (this.applied.get(partition) ?? 0) === position - 1);
      if (moves.get(partition)) this.apply(row);
    }
  }

  /** The last position of a partition, projected or not. */
  end(partition: number): number {
    return Math.max(0, ...(this.rows.get(partition)?.keys() ?? []));
  }

  override catchUp(partitions: number[]): Promise<Map<number, Tail | LogBroken>> {
    const tails = new Map<number, Tail | LogBroken>();
    for (const partition of partitions) {
      const rows = this.rows.get(partition);
      const last = this.end(partition);
      const applied = this.applied.get(partition) ?? 0;
      for (let position = applied + 1; position <= last; position++) this.apply(rows!.get(position)!);
      if (applied > last) tails.set(partition, new LogBroken(partition, applied));
      else tails.set(partition, { position: last, term: rows?.get(last)?.term ?? 0 });
    }
    return Promise.resolve(tails);
  }

  override positions(partitions: number[]): Promise<Map<number, number>> {
    return Promise.resolve(new Map(partitions.map((each) => [each, this.applied.get(each) ?? 0])));
  }

  override read(partition: number, after: number, limit: number): Promise<StoredEvent[]> {
    const rows = [...(this.rows.get(partition)?.values() ?? [])]
      .filter((row) => row.position > after)
      .sort((a, b) => a.position - b.position)
      .slice(0, limit);
    return Promise.resolve(rows.map(({ position, event }) => ({ position, event })));
  }

  override readAt(places: Place[]): Promise<(Place & StoredEvent)[]> {
    const found = places.flatMap(({ partition, position }) => this.rows.get(partition)?.get(position) ?? []);
    return Promise.resolve(found.map(({ partition, position, event }) => ({ partition, position, event })));
  }

  override conversations(ids: string[]): ReturnType<LogStore['conversations']> {
    const found = ids.flatMap((id) => this.states.get(id) ?? []);
    return Promise.resolve(new Map(found.map((state) => [state.id, structuredClone(state)])));
  }

  override members(ids: string[], limit: number, after = ''): Promise<Map<string, MemberEntry[]>> {
    const pageOf = (id: string) =>
      [...(this.states.get(id)?.members ?? [])]
        .filter(([userId]) => userId > after)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit);
    return Promise.resolve(new Map(ids.map((id) => [id, structuredClone(pageOf(id))])));
  }

  override messages(wanted: MessageRef[]): Promise<Map<string, MessageState>> {
    const found = new Map<string, MessageState>();
    for (const { messageId: id } of wanted) {
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

  /** The rows of one statement meet each other, too. */
  private appendWhole(rows: LogRow[]): Map<number, Shortfall> {
    const own = new Set<string>();
    for (const row of rows) {
      const key = clientKey(row);
      const isRepeat = row.clientMessageId !== null && own.has(key);
      own.add(key);
      const reason = isRepeat ? clientIdTaken(row) : this.refusal(row);
      if (!reason) continue;
      if (!(reason instanceof PositionTaken || reason instanceof ClientIdTaken)) throw reason;
      return new Map(
        rows.map(({ partition }) => [
          partition,
          { stored: 0, ...(partition === row.partition && { reason }) },
        ]),
      );
    }
    for (const row of rows) this.store(row);
    this.project(rows);
    return new Map();
  }

  private appendTorn(rows: LogRow[]): Map<number, Shortfall> {
    const shortfalls = new Map<number, Shortfall>();
    const stored: LogRow[] = [];
    for (const row of rows) {
      if (shortfalls.has(row.partition)) continue;
      const reason = this.insert(row);
      const before = () => stored.filter(({ partition }) => partition === row.partition).length;
      if (reason) shortfalls.set(row.partition, { stored: before(), reason });
      else stored.push(row);
    }
    this.project(stored);
    return shortfalls;
  }

  private refusal(row: LogRow): Error | undefined {
    if (this.rows.get(row.partition)?.has(row.position)) return new PositionTaken(row.partition);
    if (row.clientMessageId !== null && this.clientIds.has(clientKey(row))) {
      return clientIdTaken(row);
    }
    if (row.version !== null && this.versions.has(`${row.conversationId}/${row.version}`)) {
      return new AppendRefused(`version ${row.version} of ${row.conversationId} exists`);
    }
    return undefined;
  }

  private store(row: LogRow): void {
    const partition = this.rows.get(row.partition) ?? new Map<number, LogRow>();
    this.rows.set(row.partition, partition);
    partition.set(row.position, row);
    if (row.version !== null) this.versions.add(`${row.conversationId}/${row.version}`);
    if (row.clientMessageId !== null) this.clientIds.set(clientKey(row), row.messageId!);
    if (row.messageId === null) return;
    const ofMessage = this.byMessage.get(row.messageId);
    if (ofMessage) ofMessage.push(row);
    else this.byMessage.set(row.messageId, [row]);
  }

  private apply(row: LogRow): void {
    const before = this.states.get(row.conversationId);
    const known = isWhole(row) ? { ...row } : { ...row, conversation: undefined };
    const { memberCount: _derived, ...head } = headAfter(before && toHead(before), known);
    const members = before?.members ?? new Map<string, never>();
    for (const { userId, role, joinedAt } of row.memberships) {
      if (role === null) members.delete(userId);
      else members.set(userId, { role, joinedAt });
    }
    if (head.isDeleted) members.clear();
    this.states.set(row.conversationId, { ...head, members });
    this.applied.set(row.partition, row.position);
  }
}

function clientKey(row: LogRow): string {
  return `${row.conversationId}/${row.senderId}/${row.clientMessageId}`;
}

function clientIdTaken({ conversationId, senderId, clientMessageId }: LogRow): ClientIdTaken {
  return new ClientIdTaken(conversationId, senderId!, clientMessageId!);
}
