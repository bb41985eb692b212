import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import {
  accountEvent,
  exchanges,
  itemsOf,
  notification,
  userEvent,
  type PresenceEntry,
  type ServerPayload,
} from '@parley/contracts';
import { PresenceWatch } from '../presence/presence.watch';
import { AheadFrames } from '../socket/ahead.frames';
import { eventFrame } from '../socket/frames';
import { RevokedSessions } from '../socket/revoked-sessions';
import { Sessions } from '../socket/sessions';
import { Profiles } from './profiles';

/** What concerns single users, as other services tell it to every realtime node. Unknown kinds are for later versions. */
@Controller()
export class UserConsumer {
  constructor(
    @Inject(Sessions) private readonly sessions: Sessions,
    @Inject(RevokedSessions) private readonly revoked: RevokedSessions,
    @Inject(Profiles) private readonly profiles: Profiles,
    @Inject(PresenceWatch) private readonly watch: PresenceWatch,
  ) {}

  @EventPattern(exchanges.users.name)
  onUser(@Payload() body: unknown): void {
    const event = userEvent.safeParse(body).data;
    if (event?.kind === 'account.changed') {
      const frame = eventFrame('account:changed', {});
      for (const userId of event.userIds) this.tell(userId, frame);
    } else if (event?.kind === 'notification.created') {
      const entry = notification.safeParse(event.notification).data;
      if (entry) this.notify(event.userId, { notification: entry });
    }
  }

  @EventPattern(exchanges.accounts.name)
  onAccount(@Payload() body: unknown): void {
    const event = accountEvent.safeParse(body).data;
    if (event?.kind === 'session.revoked') {
      this.revoke(event.userId, event.sessionId);
    } else if (event?.kind === 'user.changed') {
      this.profiles.hear(event.user);
      const frame = eventFrame('user:changed', { user: event.user });
      this.tell(event.user.id, frame);
      for (const session of this.watch.watching(event.user.id)) {
        if (session.userId !== event.user.id) session.write(frame);
      }
    }
  }

  @EventPattern(exchanges.presence.name)
  onPresence(@Payload() body: unknown): void {
    this.watch.hear(itemsOf(body) as PresenceEntry[]);
  }

  private revoke(userId: string, sessionId: string): void {
    this.revoked.add(sessionId);
    for (const session of [...this.sessions.of(userId)]) {
      if (session.sessionId !== sessionId) continue;
      session.emit('session:revoked', { sessionId });
      session.close('session_revoked');
    }
  }

  /**
   * A notification may have been made before its reader was removed from the conversation, and may be here before the row that
   * brings its reader in.
   */
  private notify(userId: string, payload: ServerPayload<'notification:created'>): void {
    const { conversationId } = payload.notification;
    const frame = eventFrame('notification:created', payload);
    for (const session of this.sessions.of(userId)) {
      if (session.conversations.has(conversationId)) session.write(frame);
      else if (!session.gone?.has(conversationId))
        (session.ahead ??= new AheadFrames(session)).keep(conversationId, frame);
    }
  }

  private tell(userId: string, frame: Buffer): void {
    for (const session of this.sessions.of(userId)) session.tell(frame);
  }
}
