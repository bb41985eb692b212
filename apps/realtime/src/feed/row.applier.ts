import type { TracesOfRows } from '@parley/broker';
import type { LogEvent } from '@parley/contracts';
import { metrics } from '../metrics';
import type { Session } from '../socket/session';
import type { Sessions } from '../socket/sessions';
import { isInDoubt } from './floors';
import type { RecentRows } from './recent-rows';
import type { Rooms } from './rooms';
import { traceDeliveries } from './row.traces';
import { createdFrame, joinersOf, leaversOf, movesMembers, removedFrame, roomFrame } from './row.effects';

/** Frames of one conversation that go out together: one write for each socket, however many rows came at once. */
interface Bundle {
  frames: Buffer[];
  positions: number[];
}

/** Turns the rows of the log into rooms and events for the sockets of this node. Called in order for each partition. */
export class RowApplier {
  constructor(
    private readonly sessions: Sessions,
    private readonly rooms: Rooms,
    private readonly recent: RecentRows,
  ) {}

  apply(partition: number, rows: readonly LogEvent[], traces?: TracesOfRows): void {
    const delivered = traces && traceDeliveries(rows, traces, this.rooms);
    this.recent.record(partition, rows);
    const [first] = rows;
    if (rows.length === 1 && first) {
      this.applyConversation(partition, rows);
    } else {
      // Order is promised for each conversation, so the rows of one may go out together.
      for (const ofConversation of byConversation(rows)) this.applyConversation(partition, ofConversation);
    }
    for (const row of rows)
      metrics.deliverySeconds.observe(Math.max(0, Date.now() - Date.parse(row.at)) / 1000);
    delivered?.();
  }

  /** A row that was applied here while the socket was joining, for that socket alone. */
  applyTo(session: Session, row: LogEvent): void {
    const { conversationId } = row;
    if (leaversOf(row)?.includes(session.userId) ?? true) this.remove(session, row);
    if (session.conversations.has(conversationId)) {
      const frame = roomFrame(row);
      if (frame) session.write(frame);
    }
    if (joinersOf(row).includes(session.userId)) this.bring(session, row);
  }

  private applyConversation(partition: number, rows: readonly LogEvent[]): void {
    let bundle: Bundle = { frames: [], positions: [] };
    for (const row of rows) {
      if (movesMembers(row)) {
        this.deliver(partition, row.conversationId, bundle);
        bundle = { frames: [], positions: [] };
        this.letGo(partition, row);
        this.collect(bundle, row);
        this.deliver(partition, row.conversationId, bundle);
        bundle = { frames: [], positions: [] };
        this.letIn(partition, row);
      } else {
        this.collect(bundle, row);
      }
    }
    const [row] = rows;
    if (row) this.deliver(partition, row.conversationId, bundle);
  }

  /** Rows of conversations that nobody here is in are not even encoded. */
  private collect({ frames, positions }: Bundle, row: LogEvent): void {
    if (!this.rooms.members(row.conversationId)) return;
    const frame = roomFrame(row);
    if (!frame) return;
    frames.push(frame);
    positions.push(row.position);
  }

  private deliver(partition: number, conversationId: string, { frames, positions }: Bundle): void {
    const room = this.rooms.members(conversationId);
    const [firstFrame] = frames;
    const [firstPosition] = positions;
    if (!room || !firstFrame || firstPosition === undefined) return;
    const together = frames.length === 1 ? firstFrame : Buffer.concat(frames);
    metrics.deliveries.inc(frames.length * room.size);
    for (const session of room) {
      if (session.floor === null || firstPosition > (session.floor[partition] ?? 0)) {
        session.write(together);
        continue;
      }
      const floor = session.floor[partition] ?? 0;
      frames.forEach((frame, i) => {
        if ((positions[i] ?? 0) > floor) session.write(frame);
      });
    }
  }

  private letGo(partition: number, row: LogEvent): void {
    const leavers = leaversOf(row);
    if (leavers?.length === 0) return;
    const sessions = leavers
      ? leavers.flatMap((userId) => [...this.sessions.of(userId)])
      : [...(this.rooms.members(row.conversationId) ?? [])];
    for (const session of sessions) {
      // Who goes goes, be the room in doubt or not.
      if (isMeant(session, partition, row) || isInDoubt(session, partition)) this.remove(session, row);
    }
  }

  private letIn(partition: number, row: LogEvent): void {
    for (const userId of joinersOf(row)) {
      for (const session of this.sessions.of(userId)) {
        if (isMeant(session, partition, row)) this.bring(session, row);
      }
    }
  }

  private remove(session: Session, row: LogEvent): void {
    if (row.kind !== 'member.changed' && row.kind !== 'conversation.deleted') return;
    if (!session.conversations.has(row.conversationId)) return;
    session.write(removedFrame(row));
    this.rooms.leave(session, row.conversationId);
  }

  private bring(session: Session, row: LogEvent): void {
    if (row.kind !== 'member.changed' && row.kind !== 'conversation.created') return;
    this.rooms.join(session, row.conversationId);
    session.write(createdFrame(row));
  }
}

/** Sockets that are joining get their rows when they have joined; what `ready` reflects is told already. */
function isMeant(session: Session, partition: number, row: LogEvent): boolean {
  return session.isLive && (session.floor === null || row.position > (session.floor[partition] ?? 0));
}

function byConversation(rows: readonly LogEvent[]): Iterable<LogEvent[]> {
  const groups = new Map<string, LogEvent[]>();
  for (const row of rows) {
    const group = groups.get(row.conversationId);
    if (group) group.push(row);
    else groups.set(row.conversationId, [row]);
  }
  return groups.values();
}
