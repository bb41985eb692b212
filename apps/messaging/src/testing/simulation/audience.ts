import { RowSequencer } from '@parley/broker';
import type { Conversation, LogEvent, Member, Message, PartitionRows } from '@parley/contracts';
import type { MemoryLog } from './simulated.store';
import type { Chance, VirtualTime } from './virtual-time';

interface Entity {
  version: number;
  value: Message | Member | Conversation | null;
}

/** A conversation as somebody holds it: entities by key, each at its latest version. */
export interface Held {
  version: number;
  entities: Map<string, Entity>;
}

const SYNC_PAGE = 3;

/** Puts one row into a conversation's state. */
function fold(held: Held, row: LogEvent): void {
  if (row.version === null) return;
  held.version = row.version;
  const put = (key: string, value: Entity['value']) =>
    held.entities.set(key, { version: row.version!, value });
  if ('message' in row) put(row.message.id, row.message);
  if (row.kind === 'conversation.created') for (const member of row.members) put(member.userId, member);
  if (row.kind === 'member.changed') put(row.member.userId, row.change === 'removed' ? null : row.member);
  if (row.kind === 'conversation.updated' || row.kind === 'conversation.created')
    put('shared', row.conversation);
}

/** A consumer that keeps state (as history does): fed by a network that loses, repeats and reorders. */
export class View {
  readonly conversations = new Map<string, Held>();
  readonly sequencer: RowSequencer;

  constructor(
    log: MemoryLog,
    time: VirtualTime,
    chance: Chance,
    readFails: () => number,
    partitions: number[],
  ) {
    this.sequencer = new RowSequencer({
      replay: async (partition, after, limit) => {
        await time.sleep(1 + chance.below(10));
        if (chance.is(readFails())) throw new Error('no answer');
        const rows = (await log.read(partition, after, limit)).map(
          ({ event }) => JSON.parse(event) as LogEvent,
        );
        return { epoch: 'e', head: log.end(partition), rows };
      },
      apply: (batch) => this.apply(batch),
      logger: { info() {}, warn() {}, error() {} },
      sleep: (ms) => time.sleep(ms),
    });
    for (const partition of partitions) this.sequencer.follow(partition, 0);
  }

  private apply(batch: PartitionRows[]): void {
    for (const { partition, rows } of batch) {
      for (const [i, row] of rows.entries()) {
        const expected = this.sequencer.position(partition)! + i + 1;
        if (row.position !== expected)
          throw new Error(`row ${row.position} was applied in place of ${expected}`);
        const held = this.conversations.get(row.conversationId) ?? {
          version: 0,
          entities: new Map<string, Entity>(),
        };
        this.conversations.set(row.conversationId, held);
        if (row.version !== null && row.version !== held.version + 1) {
          throw new Error(`version ${row.version} follows ${held.version}`);
        }
        fold(held, row);
      }
    }
  }

  /** A page of what changed above a version: head first, then entities in rising version, at most a few. */
  sync(
    conversationId: string,
    version: number,
  ): { head: number; version: number; entries: [string, Entity][] } {
    const held = this.conversations.get(conversationId) ?? {
      version: 0,
      entities: new Map<string, Entity>(),
    };
    const entries = [...held.entities]
      .filter(([, entity]) => entity.version > version)
      .sort((a, b) => a[1].version - b[1].version);
    if (entries.length <= SYNC_PAGE)
      return { head: held.version, version: Math.max(version, held.version), entries };
    // A page never ends between entities of one version.
    const last = entries[SYNC_PAGE - 1]![1].version;
    const page = entries.filter(([, entity]) => entity.version <= last);
    return { head: held.version, version: last, entries: page };
  }
}

/** A client's copy: it stands only at versions that sync gave it or that followed one by one. */
export class Reader {
  readonly held = new Map<string, Held>();

  constructor(private readonly view: View) {}

  hear(row: LogEvent): void {
    const held = this.held.get(row.conversationId);
    if (held && row.version === held.version + 1) fold(held, row);
    else if (row.version !== null && row.version > (held?.version ?? 0))
      this.catchUp(row.conversationId, false);
  }

  catchUp(conversationId: string, isFinal: boolean): void {
    const held = this.held.get(conversationId) ?? { version: 0, entities: new Map<string, Entity>() };
    this.held.set(conversationId, held);
    for (;;) {
      const page = this.view.sync(conversationId, held.version);
      const before = held.version;
      for (const [key, entity] of page.entries) {
        if ((held.entities.get(key)?.version ?? 0) <= entity.version) held.entities.set(key, entity);
      }
      held.version = page.version;
      if (!isFinal || held.version === before) return;
    }
  }
}
