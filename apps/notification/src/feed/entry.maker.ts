import { Inject, Injectable } from '@nestjs/common';
import { Publisher } from '@parley/broker';
import { SERVICE_CONFIG, counter } from '@parley/service';
import type { FeedConfig } from '../config';
import { type Entry, entryId } from '../notification/entry';
import { Pruner } from '../notification/pruner';
import type { Addressee, BatchWalk } from './batch.walk';
import { PresenceLookup, type Presence } from './presence.lookup';

/** Clocks of different machines, and messages under way, may be so far apart. */
const TOLERANCE_MS = 5_000;

const entriesStored = counter('notification_entries_total', 'New entries of in-app lists.', ['type']);
const entriesPushed = counter('notification_pushed_total', 'New entries that were told to sockets.');

export interface Drafts {
  drafts: Entry[];
  /** Addressees of whom presence does not say whether they were there; recent messages count as missed. */
  unknown: number;
}

/** From whom a walk addresses to entries, and, once these are stored, to the sockets. */
@Injectable()
export class EntryMaker {
  constructor(
    private readonly presence: PresenceLookup,
    private readonly publisher: Publisher,
    private readonly pruner: Pruner,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<FeedConfig, 'NOTIFICATION_LIVE_MS'>,
  ) {}

  /** An entry for each mention, and for each other member who did not have the message on a socket. */
  async draft(walk: BatchWalk): Promise<Drafts> {
    const drafts = walk.mentioned.map((addressee) => toEntry('mention', addressee));
    const candidates = walk.members.filter(({ userId }) => !this.presence.isConnected(userId));
    if (candidates.length === 0) return { drafts, unknown: 0 };
    const lateBefore = this.lateBefore();
    const presenceOf = await this.presence.of(new Set(candidates.map(({ userId }) => userId)));
    let unknown = 0;
    for (const addressee of candidates) {
      const presence = presenceOf(addressee.userId);
      if (presence.state === 'unknown') unknown += 1;
      if (wasAbsent(presence, Date.parse(addressee.row.message.createdAt), lateBefore))
        drafts.push(toEntry('message', addressee));
    }
    return { drafts, unknown };
  }

  /**
   * Tells the owners of entries that are new in the store; of old messages nobody wants to hear now.
   *
   * @param traces the traceparent of each sampled message
   */
  tell(entries: Entry[], traces?: ReadonlyMap<string, string>): void {
    const lateBefore = this.lateBefore();
    for (const { userId, ...notification } of entries) {
      entriesStored.inc({ type: notification.type });
      this.pruner.touched(userId);
      if (Date.parse(notification.createdAt) < lateBefore) continue;
      const traceparent = traces?.get(notification.messageId);
      this.publisher.users({ kind: 'notification.created', userId, notification }, traceparent);
      entriesPushed.inc();
    }
  }

  private lateBefore(): number {
    return Date.now() - this.config.NOTIFICATION_LIVE_MS;
  }
}

/**
 * Whether somebody missed a message. Who is offline now and was last seen well after the message was connected then, or
 * has synced since: that matters when old rows are replayed. Of whom nothing is known, recent messages count as missed,
 * since one entry too many is better than one too few, and old ones do not, for a replay would bring a flood of them. So
 * it is with those of whom presence says that they were never seen: after a restore, which empties Redis, that is everybody.
 */
function wasAbsent(presence: Presence, createdAt: number, lateBefore: number): boolean {
  if (presence.state === 'connected') return false;
  if (presence.state === 'unknown' || presence.since === null) return createdAt >= lateBefore;
  return presence.since < createdAt + TOLERANCE_MS;
}

function toEntry(type: Entry['type'], { userId, row: { message } }: Addressee): Entry {
  return {
    userId,
    id: entryId(message.id, userId),
    type,
    conversationId: message.conversationId,
    messageId: message.id,
    number: message.number,
    senderId: message.senderId,
    createdAt: message.createdAt,
    readAt: null,
  };
}
