import type { Member, Message, ServerEvent } from '@parley/contracts';
import { digestOf } from './digest';
import type { AckedSend, LogRow, Observations, TraceEntry } from './observations';

const at = '2026-01-01T00:00:00.000Z';
const conversationId = 'c1';
const people = ['alice', 'bob', 'carol'];

/** A message in the state of its creation. */
function messageOf(senderId: string, number: number, version: number, clientMessageId: string): Message {
  return {
    id: `m${number}`,
    conversationId,
    number,
    version,
    senderId,
    clientMessageId,
    body: `body ${number}`,
    format: 'plain',
    mentions: [],
    attachments: [],
    reactions: [],
    pinned: false,
    createdAt: at,
  };
}

/**
 * What is observed when everything goes right: alice, bob and carol talk in one group; carol is removed in the middle
 * and added again; a message is edited; bob's client loses an event and syncs; carol sees a repeat.
 */
export function honestObservations(): Observations {
  const observations: Observations = {
    sends: [],
    changes: [],
    refused: [{ conversationId, senderId: 'carol', clientMessageId: 'late', code: 'forbidden' }],
    sockets: people.map((userId) => ({ socketId: `${userId}-1`, userId, entries: [] as TraceEntry[] })),
    fresh: [],
    held: [],
    log: [],
  };
  const members = new Set(people);
  const messages = new Map<string, Message>();
  const traceOf = (userId: string): TraceEntry[] =>
    observations.sockets.find((socket) => socket.userId === userId)?.entries ?? [];
  const append = (kind: string, about: unknown, rest: Partial<LogRow>): number => {
    const version = observations.log.length + 1;
    const digest = digestOf(about);
    const row = { partition: 7, position: version, conversationId, version, kind, digest, ...rest };
    observations.log.push(row);
    for (const userId of members)
      traceOf(userId).push({
        kind: 'event',
        name: kind.replace('.', ':') as ServerEvent,
        conversationId,
        version,
        digest,
      });
    return version;
  };
  const memberOf = (userId: string): Member => ({ userId, role: 'member', joinedAt: at });
  const send = (senderId: string): AckedSend => {
    const number = messages.size + 1;
    const version = observations.log.length + 1;
    const message = messageOf(senderId, number, version, `${senderId}-${number}`);
    messages.set(message.id, message);
    append('message.created', message, { message });
    const acked: AckedSend = {
      conversationId,
      senderId,
      clientMessageId: message.clientMessageId,
      body: message.body ?? '',
      messageId: message.id,
      number,
      version,
      socketId: `${senderId}-1`,
      rank: number,
      attempts: 1,
    };
    observations.sends.push(acked);
    return acked;
  };

  append('conversation.created', 'group', { members: people.map(memberOf) });
  for (const sender of ['alice', 'bob', 'carol', 'alice', 'bob']) send(sender);
  members.delete('carol');
  const removedAt = append('member.changed', 'carol-', {
    change: { what: 'removed', member: memberOf('carol') },
  });
  const event = (name: ServerEvent, version: number): TraceEntry => ({
    kind: 'event',
    name,
    conversationId,
    version,
    digest: 'personal',
  });
  traceOf('carol').push(event('conversation:removed', removedAt));
  for (const sender of ['alice', 'bob', 'alice']) send(sender);
  members.add('carol');
  const addedAt = append('member.changed', 'carol+', {
    change: { what: 'added', member: memberOf('carol') },
  });
  traceOf('carol').splice(-1, 1, event('conversation:created', addedAt));
  send('carol').attempts = 2;
  const edited: Message = { ...(messages.get('m1') as Message), body: 'edited', editedAt: at, version: 13 };
  messages.set('m1', edited);
  append('message.updated', edited, { message: edited });
  observations.changes.push({ conversationId, messageId: 'm1', version: 13 });
  send('alice');
  send('bob');

  traceOf('carol').push(traceOf('carol').at(-2) as TraceEntry);
  // Bob's socket missed message 6; he synced, and the event came after all.
  const bob = traceOf('bob');
  const missed = bob.splice(7, 1)[0] as TraceEntry;
  bob.splice(8, 0, { kind: 'stand', conversationId, version: 9 }, missed);

  const version = observations.log.length;
  const all = [...messages.values()];
  const list = people.map(memberOf);
  observations.fresh.push({
    conversationId,
    version,
    messageCount: all.length,
    messages: all,
    members: list,
  });
  observations.held = people.map((userId) => ({
    userId,
    conversationId,
    version,
    messages: [...all],
    members: list,
    completeAbove: 0,
  }));
  return observations;
}
