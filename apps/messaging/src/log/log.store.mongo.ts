import { partitionOf } from '@parley/contracts';
import type { LogEvent } from '@parley/contracts';
import type { Connection, Model, mongo } from 'mongoose';
import type { ConversationHead, ConversationState, MessageState } from '../conversation/conversation.state';
import type { InsertReply, RowError } from './insert.reply';
import { refusedRow } from './insert.reply';
import type { LogDocument } from './log.document';
import { LOG_COLLECTION, logModel, toDocument, toRow } from './log.document';
import { AppendRefused, ClientIdTaken, LogBroken, LogStore, PositionTaken } from './log.store';
import type { LogRow, MemberEntry, MessageRef, Place, Shortfall, StoredEvent, Tail } from './log.store';
import type { ProjectionStore } from './projection.store';

const DUPLICATE_KEY = 11_000;
/** Below the time after which the connection counts a silent server as lost. */
const TIMEOUT_MS = 900;
/** What one command holds at most: a command is one document, of 16 MiB, and a character takes up to three bytes. */
const COMMAND_CHARACTERS = 4_000_000;
const CATCH_UP_ROWS = 200;

/** In what MongoDB and FerretDB differ. */
export interface ServerTraits {
  /** How many rows it inserts in order with one command. */
  rowsOrdered: number;
  /** Whether it looks for one of several conditions by an index; where not, they are asked for one by one. */
  findsAlternatives: boolean;
}

/**
 * The log in MongoDB. An append is one ordered insert over all partitions, acknowledged by the journals of a majority;
 * what stands before a refused row is stored. The projection, in PostgreSQL, follows it before the append is answered,
 * and is caught up by whoever owns the partition next. Nothing here is a transaction: what keeps two owners apart is the
 * unique index on (partition, position), and that an ordered insert never goes on behind a refused row.
 */
export class MongoLogStore extends LogStore {
  private readonly model: Model<LogDocument>;

  constructor(
    private readonly connection: Connection,
    private readonly projection: ProjectionStore,
    private readonly server: ServerTraits,
  ) {
    super();
    this.model = logModel(connection);
  }

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    const shortfalls = await this.insert(rows);
    const first = new Map<number, number>();
    for (const { partition, position } of rows) if (!first.has(partition)) first.set(partition, position);
    const isStored = ({ partition, position }: LogRow) =>
      position - first.get(partition)! < (shortfalls.get(partition)?.stored ?? Infinity);
    const stored = shortfalls.size === 0 ? rows : rows.filter(isStored);
    if (stored.length > 0) await this.project(stored);
    return shortfalls;
  }

  /** A refused row ends an ordered insert: it costs its own partition the rest, and the others another command. */
  private async insert(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    const shortfalls = new Map<number, Shortfall>();
    let rest = rows;
    while (rest.length > 0) {
      const command = this.fitting(rest);
      const refused = await this.insertOrdered(command);
      if (refused) {
        const row = command[refused.index]!;
        const { partition, position } = row;
        const stored = position - rows.find((each) => each.partition === partition)!.position;
        shortfalls.set(partition, { stored, reason: await this.reasonOf(row, refused) });
        rest = rest.slice(refused.index).filter((each) => each.partition !== partition);
      } else {
        rest = rest.slice(command.length);
      }
    }
    return shortfalls;
  }

  /** The rows, from the first on, that fit into one command. */
  private fitting(rows: LogRow[]): LogRow[] {
    let characters = 0;
    const end = rows.findIndex(({ event, reactors }, i) => {
      characters += event.length + (reactors?.length ?? 0);
      return i > 0 && (i === this.server.rowsOrdered || characters > COMMAND_CHARACTERS);
    });
    return end < 0 ? rows : rows.slice(0, end);
  }

  /** The bare command: it answers with the index of the refused row, and makes no object per row as the driver's bulk does. */
  private async insertOrdered(rows: LogRow[]): Promise<RowError | undefined> {
    const reply = (await this.database.command({
      insert: LOG_COLLECTION,
      documents: rows.map(toDocument),
      ordered: true,
      writeConcern: { w: 'majority', j: true, wtimeout: TIMEOUT_MS },
    })) as InsertReply;
    const refused = refusedRow(reply);
    if (refused && refused.index > 0) await this.requireKept(rows.slice(0, refused.index));
    return refused;
  }

  /**
   * Whether a majority has what stands before a refused row. A mongos does not say of an ordered insert that was refused a
   * row whether the rest was acknowledged, so its rows are read back: a linearizable read waits for a majority to have what
   * it found, and all before that on its shard. Each partition lies on one. This is rare.
   *
   * @throws Error when a row is gone, or nobody says whether it stays
   */
  private async requireKept(rows: LogRow[]): Promise<void> {
    const last = new Map(rows.map((row) => [row.partition, row]));
    await Promise.all(
      [...last.values()].map(async ({ partition, position, event }) => {
        const kept = await this.model
          .findOne({ partition, position, event }, { _id: 0, position: 1 })
          .readConcern('linearizable')
          .maxTimeMS(TIMEOUT_MS)
          .lean();
        if (!kept) throw new Error(`not kept: the row at ${partition}/${position}`);
      }),
    );
  }

  /** Why a row was refused. */
  private async reasonOf(row: LogRow, error: RowError): Promise<Error> {
    if (error.code !== DUPLICATE_KEY) return new AppendRefused(error.errmsg);
    const { partition, position, conversationId, senderId, clientMessageId } = row;
    const met = error.keyPattern
      ? (field: string) => Promise.resolve(field in error.keyPattern!)
      : (field: string) => this.isThere(row, field);
    if (await met('position')) return new PositionTaken(partition);
    if (clientMessageId !== null && senderId !== null && (await met('clientMessageId'))) {
      return new ClientIdTaken(conversationId, senderId, clientMessageId);
    }
    return new AppendRefused(`the row at ${partition}/${position} was refused: ${error.errmsg}`);
  }

  /** Asks for the row that another one met, where the server does not say which it was. */
  private async isThere(row: LogRow, field: string): Promise<boolean> {
    const { partition, position, conversationId, senderId, clientMessageId } = row;
    if (field === 'position') return (await this.model.exists({ partition, position })) !== null;
    return (await this.messageIdOf(conversationId, senderId!, clientMessageId!)) !== undefined;
  }

  private async project(rows: LogRow[]): Promise<void> {
    const left = await this.projection.project(rows);
    if (left.length === 0) return;
    for (const tail of (await this.catchUp(left)).values()) if (tail instanceof LogBroken) throw tail;
  }

  override async catchUp(partitions: number[]): Promise<Map<number, Tail | LogBroken>> {
    const positions = await this.projection.positions(partitions);
    const tails = await Promise.all(
      partitions.map((partition) => this.catchUpOne(partition, positions.get(partition) ?? 0)),
    );
    return new Map(partitions.map((partition, i) => [partition, tails[i]!]));
  }

  /**
   * Linearizable: it waits until a majority has what it found, and fails on a primary that is none any more, so nothing
   * that was acknowledged is missing from the tail, and nothing that can still go is in it.
   */
  private async catchUpOne(partition: number, from: number): Promise<Tail | LogBroken> {
    let applied = from;
    for (;;) {
      const found = await this.model
        .find({ partition, position: { $gte: applied } }, { _id: 0 })
        .sort({ position: 1 })
        .limit(CATCH_UP_ROWS)
        .readConcern('linearizable')
        .maxTimeMS(TIMEOUT_MS)
        .lean<LogDocument[]>();
      if (applied > 0 && found[0]?.position !== applied) return new LogBroken(partition, applied);
      const fresh = applied > 0 ? found.slice(1) : found;
      const last = found.at(-1);
      if (fresh.length === 0) return { position: applied, term: last?.term ?? 0 };
      const hole = fresh.findIndex(({ position }, i) => position !== applied + 1 + i);
      if (hole >= 0) return new LogBroken(partition, applied + 1 + hole);
      await this.projection.project(await this.toRows(fresh));
      // Whoever else projects at the same time projects the same rows.
      applied = (await this.projection.positions([partition])).get(partition) ?? 0;
      if (applied === last?.position && found.length < CATCH_UP_ROWS)
        return { position: applied, term: last.term };
    }
  }

  private async toRows(documents: LogDocument[]): Promise<LogRow[]> {
    const heads = await this.projection.heads([...new Set(documents.map((each) => each.conversationId))]);
    return documents.map((document) => {
      const row = toRow(document, heads.get(document.conversationId));
      heads.set(row.conversationId, row.conversation);
      return row;
    });
  }

  override positions(partitions: number[]): Promise<Map<number, number>> {
    return this.projection.positions(partitions);
  }

  override async read(partition: number, after: number, limit: number): Promise<StoredEvent[]> {
    return this.model
      .find({ partition, position: { $gt: after } }, { _id: 0, position: 1, event: 1 })
      .sort({ position: 1 })
      .limit(limit)
      .maxTimeMS(TIMEOUT_MS)
      .lean<StoredEvent[]>();
  }

  override async readAt(places: Place[]): Promise<(Place & StoredEvent)[]> {
    const wanted = places.map(({ partition, position }) => ({ partition, position }));
    const conditions = this.server.findsAlternatives ? [{ $or: wanted }] : wanted;
    const found = await Promise.all(
      conditions.map((condition) =>
        this.model
          .find(condition, { _id: 0, partition: 1, position: 1, event: 1 })
          .maxTimeMS(TIMEOUT_MS)
          .lean<(Place & StoredEvent)[]>(),
      ),
    );
    return found.flat();
  }

  override conversations(ids: string[]): Promise<Map<string, ConversationState | ConversationHead>> {
    return this.projection.conversations(ids);
  }

  override members(ids: string[], limit: number, after?: string): Promise<Map<string, MemberEntry[]>> {
    return this.projection.members(ids, limit, after);
  }

  /** Linearizable, because an owner decides on them: one that is a moment old would undo what changed since. */
  override async messages(wanted: MessageRef[]): Promise<Map<string, MessageState>> {
    const found = await Promise.all(wanted.map((ref) => this.latestRow(ref)));
    return new Map(found.flatMap((row) => (row ? [[row.messageId!, toState(row)]] : [])));
  }

  private async latestRow({ conversationId, messageId }: MessageRef): Promise<LogDocument | null> {
    return this.model
      .findOne(
        { partition: partitionOf(conversationId), messageId },
        { _id: 0, messageId: 1, event: 1, reactors: 1, requestHash: 1 },
      )
      .sort({ position: -1 })
      .readConcern('linearizable')
      .maxTimeMS(TIMEOUT_MS)
      .lean<LogDocument>();
  }

  override async messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined> {
    const partition = partitionOf(conversationId);
    const row = await this.model
      .findOne({ partition, conversationId, senderId, clientMessageId }, { _id: 0, messageId: 1 })
      .readConcern('linearizable')
      .maxTimeMS(TIMEOUT_MS)
      .lean<Pick<LogDocument, 'messageId'>>();
    return row?.messageId;
  }

  private get database(): mongo.Db {
    return this.connection.getClient().db() as mongo.Db;
  }
}

function toState({ event, reactors, requestHash }: LogDocument): MessageState {
  const { message } = JSON.parse(event) as Extract<LogEvent, { message: unknown }>;
  const state: MessageState = { message, requestHash: requestHash! };
  if (reactors !== undefined) state.reactors = JSON.parse(reactors) as MessageState['reactors'];
  return state;
}
