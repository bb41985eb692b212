import fc from 'fast-check';
import { isDurable, type DurableEvent } from './durable-event';
import { ME, OTHERS, ServerModel, type ModelEvent } from '../testing/server.model';
import { EVENT_GRACE_MS } from './conversation.state';
import { Store, type SyncRequest } from './store';
import type { Message, SyncResult } from '@parley/contracts';

type Step = { kind: (typeof kinds)[number]; room: number; pick: number };

const kinds = [
  'create',
  'send',
  'send',
  'send',
  'sendMine',
  'edit',
  'delete',
  'react',
  'retitle',
  'addOther',
  'removeOther',
  'role',
  'removeMe',
  'addMe',
  'addMeHidden',
  'read',
  'deliver',
  'deliver',
  'deliver',
  'deliver',
  'repeat',
  'lose',
  'ack',
  'ask',
  'ask',
  'compute',
  'compute',
  'answer',
  'answer',
  'loseAnswer',
  'reconnect',
  'position',
  'restoreBackup',
] as const;

const steps = fc.array(fc.record({ kind: fc.constantFrom(...kinds), room: fc.nat(2), pick: fc.nat(1000) }), {
  minLength: 20,
  maxLength: 250,
  size: 'max',
});

/** A store, a server, and a network between them that loses, repeats, reorders and delays whatever it is told to. */
class World {
  readonly server = new ServerModel();
  readonly store: Store;
  private readonly acks: Message[] = [];
  /** Milliseconds since the beginning. */
  private now = 0;
  private question?: { request: SyncRequest; result?: SyncResult };

  constructor(holdsAll = true) {
    this.store = new Store(holdsAll, 10_000);
    this.server.create();
    this.store.applyReady(this.server.ready());
  }

  step({ kind, room, pick }: Step): void {
    const { server, store } = this;
    const ids = [...server.rooms.keys()];
    const id = ids[room % ids.length]!;
    const other = OTHERS[pick % OTHERS.length]!;
    switch (kind) {
      case 'create':
        if (ids.length < 4) server.create();
        return;
      case 'send':
        server.send(id, other);
        return;
      case 'sendMine':
        if (server.rooms.get(id)!.mine) this.acks.push(server.send(id, ME));
        return;
      case 'edit':
      case 'delete':
      case 'react':
        return server.change(id, pick, kind);
      case 'retitle':
        return server.retitle(id);
      case 'addOther':
        return server.member(id, other, 'added', false);
      case 'removeOther':
        return server.member(id, other, 'removed', false);
      case 'role':
        return server.member(id, pick % 2 ? ME : other, 'role', false);
      case 'removeMe':
        return server.member(id, ME, 'removed', false);
      case 'addMe':
      case 'addMeHidden':
        return server.member(id, ME, 'added', kind === 'addMeHidden');
      case 'read':
        return server.read(id);
      case 'deliver':
        return this.deliver(server.outbox.splice(this.index(pick), 1)[0]);
      case 'repeat':
        return this.deliver(server.outbox[this.index(pick)]);
      case 'lose':
        server.outbox.splice(this.index(pick), 1);
        return;
      case 'ack': {
        const message = this.acks.shift();
        if (message) store.applyAck(message);
        return;
      }
      case 'ask':
        this.now += pick;
        this.ask();
        return;
      case 'compute':
        if (this.question) this.question.result = server.sync(this.question.request.payload);
        return;
      case 'answer':
        return this.answer();
      case 'loseAnswer':
        this.question = undefined;
        return;
      case 'reconnect':
        server.outbox.length = 0;
        this.question = undefined;
        store.applyReady(server.ready());
        return;
      case 'position':
        return store.applyPosition(server.positions());
      case 'restoreBackup':
        if (pick % 10 === 0) server.epoch += "'";
        return;
    }
  }

  /** The network is calm at last: what the server says about every 10 s, and `sync` until nothing is missing. */
  settle(): void {
    this.question = undefined;
    this.server.outbox.length = 0;
    if (this.store.epoch !== this.server.epoch) this.store.applyReady(this.server.ready());
    this.store.applyPosition(this.server.positions());
    this.store.applyAccountChanged();
    this.drain();
  }

  /** Asks until nothing is missing, or as often as is said. */
  drain(as = (result: SyncResult) => result, callsMax = Infinity): void {
    for (let calls = 0; calls < Math.min(callsMax, 1000); calls += 1) {
      const waitMs = this.ask();
      if (!this.question) {
        if (waitMs === undefined) return;
        this.now += waitMs;
        continue;
      }
      this.question.result = as(this.server.sync(this.question.request.payload));
      this.answer();
    }
    if (callsMax === Infinity) throw new Error('sync never ended');
  }

  /** Everything that the server has told comes, in its order. */
  hear(): void {
    for (const event of this.server.outbox.splice(0)) this.deliver(event);
  }

  /** Asks what is due, and says when there will be something if nothing is now. */
  private ask(): number | undefined {
    if (this.question) return undefined;
    const next = this.store.nextSync(this.now);
    if (next && 'waitMs' in next) return next.waitMs;
    if (next) this.question = { request: next };
    return undefined;
  }

  private answer(): void {
    if (!this.question?.result) return;
    const { request, result } = this.question;
    this.question = undefined;
    this.store.applySync(request, structuredClone(result), this.now);
  }

  private index(pick: number): number {
    // Mostly the oldest, sometimes a later one: a mild reordering.
    const { length } = this.server.outbox;
    return length === 0 ? 0 : pick % 3 === 0 ? pick % length : 0;
  }

  private deliver(event: ModelEvent | undefined): void {
    if (!event) return;
    const { name, payload } = structuredClone(event);
    if (name === 'account:changed') this.store.applyAccountChanged();
    else if (name === 'conversation:removed') this.store.applyRemoved(payload.conversationId);
    else if (isDurable(name)) this.store.applyEvent({ name, payload } as DurableEvent);
  }
}

/** Everything that can be seen, from message `from(id)` on: older pages are loaded when asked for. */
function seen(store: Store, from: (id: string) => number) {
  return store.list().map((view) => ({
    ...view,
    // Exact only where every unread message is held.
    unreadMentions: from(view.id) <= view.readNumber + 1 ? view.unreadMentions : undefined,
    // The last message of a list may be older than what is shown of it.
    lastMessage: view.lastMessage?.number,
    messages: store.messages(view.id).filter((message) => message.number >= from(view.id)),
    members: store
      .members(view.id)
      .map(({ userId, role }) => `${userId} ${role}`)
      .sort(),
  }));
}

function fresh(server: ServerModel): Store {
  const world = new World();
  const store = new Store(true, 10_000);
  Object.assign(world, { server, store });
  store.applyReady(server.ready());
  world.drain();
  return store;
}

describe('a store behind a network that loses, repeats and reorders', () => {
  it('becomes what a fresh one is', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const world = new World();
        for (const step of script) world.step(step);
        world.settle();
        const other = fresh(world.server);
        const from = (id: string) => Math.max(world.store.state(id)?.low ?? 0, other.state(id)?.low ?? 0);
        expect(seen(world.store, from)).toEqual(seen(other, from));
      }),
      { numRuns: 500 },
    );
  });

  it('learns what it has read from an own message that a reset left out', () => {
    const world = new World();
    const [id = ''] = world.server.rooms.keys();
    // A later change of the account, so that its cursor lies behind the first conversation.
    world.server.create();
    world.settle();
    world.server.send(id, ME);
    for (let count = 0; count < 20; count += 1) world.server.send(id, OTHERS[0]!);
    world.settle();
    expect(world.store.conversation(id)).toMatchObject({ readNumber: 1, unread: 20 });
  });

  it('takes the private unread mark back with what is read or sent, as the server does', () => {
    const { server, store } = new World();
    const id = server.create();
    const { mine } = server.rooms.get(id)!;
    const unreadFrom = () => store.conversation(id)?.unreadFrom;
    for (let count = 0; count < 3; count += 1) server.send(id, OTHERS[0]!);
    mine!.unreadFrom = 3;
    store.applyReady(server.ready());
    expect(unreadFrom()).toBe(3);
    store.markRead(id, 2);
    expect(unreadFrom()).toBe(3);
    store.markRead(id, 3);
    expect(unreadFrom()).toBeNull();

    store.applyReady(server.ready());
    expect(unreadFrom()).toBe(3);
    store.applyAck(server.send(id, ME));
    expect(unreadFrom()).toBeNull();
  });

  describe.each([
    ['an answer to the question whether it is a member', false],
    ['a message that comes late', true],
  ])('whose user was removed, while the view is behind and takes it for a member: %s', (_, comesLate) => {
    it.each([true, false])('forgets the conversation, and ends (holding all: %s)', (holdsAll) => {
      const world = new World(holdsAll);
      const { server, store } = world;
      const [id = ''] = server.rooms.keys();
      server.create();
      server.send(id, OTHERS[0]!);
      const late = server.outbox.at(-1) as DurableEvent;
      world.hear();
      world.drain();
      const view = server.sync({ epoch: server.epoch, accountCursor: null, versions: { [id]: 0 } });
      server.member(id, ME, 'removed', false);
      world.hear();
      if (comesLate) {
        world.drain();
        store.applyEvent(late);
      }
      const behind = (result: SyncResult) =>
        result.removed.includes(id)
          ? { ...result, removed: [], conversations: [...result.conversations, ...view.conversations] }
          : result;
      for (let calls = 0; calls < 5; calls += 1) world.drain(behind, 1);
      world.drain();
      expect([...store.states()].map((state) => state.id)).not.toContain(id);
    });
  });

  it('does not show a message of a former membership that comes late', () => {
    const world = new World();
    const [id = ''] = world.server.rooms.keys();
    world.server.send(id, OTHERS[0]!);
    const late = world.server.outbox.at(-1) as DurableEvent;
    world.server.member(id, ME, 'removed', false);
    world.server.member(id, ME, 'added', true);
    world.settle();
    world.store.applyEvent(late);
    expect(world.store.conversation(id)?.lastMessage).toBeUndefined();
    expect(world.store.messages(id)).toEqual([]);
  });

  it('asks at once for what events left out, and only later for what an ack was the first to name', () => {
    const world = new World();
    const { server, store } = world;
    const [id = ''] = server.rooms.keys();
    world.drain();
    server.outbox.length = 0;
    const mine = server.send(id, ME);
    const echo = server.outbox.splice(0)[0] as DurableEvent;
    const now = 60_000;
    store.applyAck(mine);
    expect(store.nextSync(now)).toEqual({ waitMs: EVENT_GRACE_MS });
    store.applyEvent(echo);
    expect(store.nextSync(now)).toBeUndefined();

    store.applyAck(server.send(id, ME));
    expect(store.nextSync(now)).toEqual({ waitMs: EVENT_GRACE_MS });
    expect(store.nextSync(now + EVENT_GRACE_MS)).toMatchObject({ payload: { versions: { [id]: 2 } } });
    server.send(id, OTHERS[0]!);
    store.applyEvent(server.outbox.at(-1) as DurableEvent);
    expect(store.nextSync(now)).toMatchObject({ payload: { versions: { [id]: 2 } } });
  });

  it('never shows a gap once it is current', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const world = new World();
        for (const step of script) {
          world.step(step);
          for (const view of world.store.list()) {
            if (!view.current) continue;
            const numbers = world.store.messages(view.id).map((message) => message.number);
            const low = world.store.state(view.id)?.low ?? view.messageCount + 1;
            expect(numbers).toEqual(Array.from({ length: view.messageCount - low + 1 }, (_, i) => low + i));
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never stands at a version whose changes it has not seen', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const world = new World();
        const heads = new Map<string, number>();
        for (const step of script) {
          world.step(step);
          for (const [id, room] of world.server.rooms) heads.set(id, room.shared.version);
          for (const state of world.store.states()) {
            expect(state.standing).toBeLessThanOrEqual(heads.get(state.id) ?? 0);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
