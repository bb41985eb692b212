import type { Requester } from '@parley/broker';
import { ParleyError } from '@parley/contracts';
import type { PresenceWatch } from '../presence/presence.watch';
import type { Handshake } from '../socket/handshake';
import type { Session } from '../socket/session';
import type { EventHandlers, Payload } from './router';
import type { SyncService } from './sync.service';
import type { Typing } from './typing';

/**
 * What each client event does. Whether the user may is decided where the data is: in messaging for writes, in history for
 * reads, here for rooms. A write goes to messaging even from outside the room, for a repeat is answered for ever.
 */
export class Handlers implements EventHandlers {
  constructor(
    private readonly requester: Requester,
    private readonly handshake: Handshake,
    private readonly syncs: SyncService,
    private readonly typing: Typing,
    private readonly watch: PresenceWatch,
  ) {}

  /** The fields one by one: this is the hot path, and leaving some out of a spread is slow. */
  async 'message:send'({ userId }: Session, payload: Payload<'message:send'>) {
    const { message } = await this.requester.command('message.send', {
      conversationId: payload.conversationId,
      actorId: userId,
      clientMessageId: payload.clientMessageId,
      body: payload.body,
      format: payload.format ?? 'plain',
      replyTo: payload.replyTo,
      threadId: payload.threadId,
      mentions: payload.mentions ?? [],
      attachments: payload.attachments ?? [],
    });
    return { message };
  }

  'message:edit'({ userId }: Session, payload: Payload<'message:edit'>) {
    return this.requester.command('message.edit', { ...payload, actorId: userId });
  }

  'message:delete'({ userId }: Session, payload: Payload<'message:delete'>) {
    return this.requester.command('message.delete', { ...payload, actorId: userId });
  }

  'reaction:add'({ userId }: Session, payload: Payload<'reaction:add'>) {
    return this.requester.command('reaction.set', { ...payload, actorId: userId, present: true });
  }

  'reaction:remove'({ userId }: Session, payload: Payload<'reaction:remove'>) {
    return this.requester.command('reaction.set', { ...payload, actorId: userId, present: false });
  }

  'conversation:read'({ userId }: Session, payload: Payload<'conversation:read'>) {
    return this.requester.command('read.mark', { ...payload, actorId: userId });
  }

  async 'typing:start'(session: Session, { conversationId }: Payload<'typing:start'>) {
    this.typing.start(session, conversationId);
    return {};
  }

  async 'typing:stop'(session: Session, { conversationId }: Payload<'typing:stop'>) {
    this.typing.stop(session, conversationId);
    return {};
  }

  'presence:set'({ userId }: Session, { status }: Payload<'presence:set'>) {
    return this.requester.query('presence.set', { userId, status });
  }

  'presence:watch'(session: Session, { userIds }: Payload<'presence:watch'>) {
    return this.watch.add(session, userIds);
  }

  async 'presence:unwatch'(session: Session, { userIds }: Payload<'presence:unwatch'>) {
    return this.watch.remove(session, userIds);
  }

  sync(session: Session, payload: Payload<'sync'>) {
    return this.syncs.answer(session, payload);
  }

  /** The connection lives on with the new token, which must speak for the same session. */
  async 'auth:refresh'(session: Session, { accessToken }: Payload<'auth:refresh'>) {
    const { userId, sessionId, expiresAtMs } = await this.handshake.identify(accessToken);
    if (userId !== session.userId || sessionId !== session.sessionId) {
      throw new ParleyError('forbidden', 'The token belongs to another session.');
    }
    session.expiresAtMs = Math.max(session.expiresAtMs, expiresAtMs);
    return { expiresAt: new Date(session.expiresAtMs).toISOString() };
  }
}
