import type { Message } from '@parley/contracts';
import { check } from './check';
import { digestOf } from './digest';
import { honestObservations } from './honest.fixture';
import type {
  FreshConversation,
  HeldConversation,
  Observations,
  SocketTrace,
  TraceEntry,
} from './observations';

function kinds(observations: Observations): string[] {
  return [...new Set(check(observations).map(({ kind }) => kind))];
}

function freshOf(observations: Observations): FreshConversation {
  return observations.fresh[0] as FreshConversation;
}

function traceOf(observations: Observations, userId: string): SocketTrace {
  return observations.sockets.find((socket) => socket.userId === userId) as SocketTrace;
}

function heldBy(observations: Observations, userId: string): HeldConversation {
  return observations.held.find((held) => held.userId === userId) as HeldConversation;
}

function eventAt(trace: SocketTrace, version: number): number {
  return trace.entries.findIndex((entry) => entry.kind === 'event' && entry.version === version);
}

describe('check', () => {
  it('finds nothing where all promises were kept', () => {
    expect(check(honestObservations())).toEqual([]);
  });

  it('finds an acknowledged message that is gone from view and log', () => {
    const observations = honestObservations();
    observations.log.pop();
    const fresh = freshOf(observations);
    fresh.messages.pop();
    fresh.messageCount--;
    fresh.version--;
    for (const held of observations.held) {
      held.messages.pop();
      held.version--;
    }
    for (const { entries } of observations.sockets) {
      const at = entries.findIndex((entry) => entry.kind === 'event' && entry.version === 15);
      if (at >= 0) entries.splice(at, 1);
    }
    expect(kinds(observations)).toEqual(['lost']);
  });

  it('finds an acknowledged message that is missing from the view alone', () => {
    const observations = honestObservations();
    freshOf(observations).messages.splice(3, 1);
    expect(kinds(observations)).toEqual(expect.arrayContaining(['lost', 'gap', 'view', 'diverged']));
  });

  it('finds a doubled message', () => {
    const observations = honestObservations();
    const { messages } = freshOf(observations);
    messages.push({ ...(messages[2] as Message), id: 'm99', number: messages.length + 1 });
    freshOf(observations).messageCount++;
    expect(kinds(observations)).toEqual(expect.arrayContaining(['doubled', 'view']));
  });

  it('finds a message that is doubled in the log', () => {
    const observations = honestObservations();
    const last = observations.log.at(-1);
    if (!last?.message) throw new Error('the log ends with a message');
    const message = { ...last.message, id: 'm99', number: last.message.number + 1, version: 16 };
    observations.log.push({ ...last, position: 16, version: 16, message, digest: digestOf(message) });
    expect(kinds(observations)).toEqual(expect.arrayContaining(['doubled', 'view']));
  });

  it('finds two swapped messages', () => {
    const observations = honestObservations();
    const { messages } = freshOf(observations);
    const [first, second] = [messages[3], messages[4]] as [Message, Message];
    messages[3] = { ...second, number: first.number };
    messages[4] = { ...first, number: second.number };
    expect(kinds(observations)).toEqual(['order', 'view', 'diverged']);
  });

  it('finds events that came in another order', () => {
    const observations = honestObservations();
    const { entries } = traceOf(observations, 'alice');
    [entries[3], entries[4]] = [entries[4] as TraceEntry, entries[3] as TraceEntry];
    expect(kinds(observations)).toEqual(['order']);
  });

  it('finds that two sockets were told different things under one version', () => {
    const observations = honestObservations();
    const entry = traceOf(observations, 'bob').entries[2];
    if (entry?.kind === 'event') entry.digest = 'different';
    expect(kinds(observations)).toEqual(['order']);
  });

  it('finds messages of one socket that changed places', () => {
    const observations = honestObservations();
    const mine = observations.sends.filter((send) => send.senderId === 'alice');
    const [first, second] = mine;
    if (first && second) [first.rank, second.rank] = [second.rank, first.rank];
    expect(kinds(observations)).toEqual(['order']);
  });

  it('lets a retried message take a later place', () => {
    const observations = honestObservations();
    const mine = observations.sends.filter((send) => send.senderId === 'alice');
    const last = mine.at(-1);
    if (last) Object.assign(last, { rank: 0, attempts: 2 });
    expect(check(observations)).toEqual([]);
  });

  it('finds an event that reached a removed member', () => {
    const observations = honestObservations();
    const alices = traceOf(observations, 'alice').entries;
    const heard = alices[eventAt(traceOf(observations, 'alice'), 9)] as TraceEntry;
    const carol = traceOf(observations, 'carol');
    carol.entries.splice(eventAt(carol, 11), 0, heard);
    expect(kinds(observations)).toContain('leak');
  });

  it('finds an event that reached a stranger', () => {
    const observations = honestObservations();
    const entries = traceOf(observations, 'alice').entries.slice(3, 4);
    observations.sockets.push({ socketId: 'mallory-1', userId: 'mallory', entries });
    expect(kinds(observations)).toEqual(['leak']);
  });

  it('finds typing that reached a removed member', () => {
    const observations = honestObservations();
    const carol = traceOf(observations, 'carol');
    carol.entries.splice(eventAt(carol, 11), 0, {
      kind: 'hint',
      name: 'typing:changed',
      conversationId: 'c1',
    });
    expect(kinds(observations)).toEqual(['leak']);
  });

  it('finds a repeat of old news after the removal', () => {
    const observations = honestObservations();
    const carol = traceOf(observations, 'carol');
    carol.entries.splice(eventAt(carol, 11), 0, carol.entries[2] as TraceEntry);
    expect(kinds(observations)).toEqual(['leak']);
  });

  it('finds a skipped version', () => {
    const observations = honestObservations();
    for (const row of observations.log) if ((row.version ?? 0) >= 6) row.version = (row.version ?? 0) + 1;
    expect(kinds(observations)).toContain('gap');
  });

  it('finds a skipped position', () => {
    const observations = honestObservations();
    for (const row of observations.log) if (row.position >= 6) row.position++;
    expect(kinds(observations)).toEqual(['gap']);
  });

  it('finds a client that never learnt of the last event', () => {
    const observations = honestObservations();
    const held = heldBy(observations, 'bob');
    held.messages.pop();
    held.version--;
    expect(kinds(observations)).toEqual(['diverged']);
  });

  it('finds a client that holds an old state of a message', () => {
    const observations = honestObservations();
    const held = heldBy(observations, 'bob');
    held.messages[0] = { ...(held.messages[0] as Message), body: 'body 1' };
    expect(kinds(observations)).toEqual(['diverged']);
  });

  it('finds a client with other members', () => {
    const observations = honestObservations();
    const held = heldBy(observations, 'bob');
    held.members = held.members?.slice(1) ?? null;
    expect(kinds(observations)).toEqual(['diverged']);
  });

  it('asks nothing of a client below the number from which it holds all', () => {
    const observations = honestObservations();
    const held = heldBy(observations, 'bob');
    held.messages = held.messages.slice(4);
    held.completeAbove = 4;
    expect(check(observations)).toEqual([]);
  });

  it('finds a refused message that is there', () => {
    const observations = honestObservations();
    observations.refused.push({
      conversationId: 'c1',
      senderId: 'bob',
      clientMessageId: 'bob-2',
      code: 'forbidden',
    });
    expect(kinds(observations)).toEqual(['doubled']);
  });

  it('finds an answer with a version that belongs to something else', () => {
    const observations = honestObservations();
    observations.changes.push({ conversationId: 'c1', messageId: 'm2', version: 13 });
    expect(kinds(observations)).toEqual(['lost']);
  });

  it('finds two answers for one message', () => {
    const observations = honestObservations();
    const [first] = observations.sends;
    if (first) observations.sends.push({ ...first, messageId: 'm98', attempts: 2 });
    expect(kinds(observations)).toEqual(expect.arrayContaining(['lost', 'doubled']));
  });
});

describe('digestOf', () => {
  it('depends on content alone', () => {
    expect(digestOf({ a: 1, b: [{ c: undefined, d: 'x' }] })).toBe(digestOf({ b: [{ d: 'x' }], a: 1 }));
    expect(digestOf({ a: [1, 2] })).not.toBe(digestOf({ a: [2, 1] }));
  });
});
