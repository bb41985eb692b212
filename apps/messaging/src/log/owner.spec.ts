import { Moved } from '@parley/broker';
import type { CommandName } from '@parley/contracts';
import { partitionOf } from '@parley/contracts';
import { v7 } from 'uuid';
import { alice, bob, outcomeOf, ownerWorld, turns } from '../testing/owner.world';
import { MemoryLog } from '../testing/simulation/simulated.store';
import type { LogRow, LogStore, Shortfall } from './log.store';
import { BoundedLogStore } from './log.store.bounded';
import { UNANSWERED_MAX } from './partition';

/** So many messages later an owner has nothing of an earlier one in memory. */
const FORGOTTEN_AFTER = 2 * UNANSWERED_MAX + 100;

async function sendUntilForgotten(send: (clientMessageId: string) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < FORGOTTEN_AFTER; i++) await send(`other ${i}`);
}

/** A log whose question for client ids is answered when the test says so. */
class SlowToRemember extends MemoryLog {
  asked!: () => void;
  answer!: () => void;
  readonly isAsked = new Promise<void>((resolve) => (this.asked = resolve));
  private readonly mayAnswer = new Promise<void>((resolve) => (this.answer = resolve));

  override async messageIdOf(...request: [string, string, string]): Promise<string | undefined> {
    this.asked();
    await this.mayAnswer;
    return super.messageIdOf(...request);
  }
}

/** One whose line is cut once an append is stored, or lost, when the test says so. */
class SlowToAnswer extends SlowToRemember {
  cut?: Promise<void>;
  loses = false;

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    const { cut } = this;
    this.cut = undefined;
    if (!cut) return super.append(rows);
    if (!this.loses) await super.append(rows);
    await cut;
    throw new Error('the line was cut');
  }
}

/** A log whose line is cut in an append, which is lost, or arrives all the same: when another one is under way. */
class LateLog extends MemoryLog {
  cutNext?: 'lost' | 'late';
  onCut?: () => void;
  /** What has to have happened before the late rows arrive. */
  arrival: Promise<unknown> = Promise.resolve();
  /** What has to have happened before anybody hears which client ids it knows. */
  hearing: Promise<unknown> = Promise.resolve();
  appends = 0;
  private late: LogRow[] = [];
  private looked!: () => void;
  readonly isLooked = new Promise<void>((resolve) => (this.looked = resolve));

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    this.appends += 1;
    const cut = this.cutNext;
    this.cutNext = undefined;
    if (cut) {
      if (cut === 'late') this.late = rows;
      this.onCut?.();
      throw new Error('the line was cut');
    }
    if (this.late.length > 0) {
      await this.arrival;
      await new Promise(setImmediate);
      for (const row of this.late) this.insert(row);
      this.project(this.late.splice(0));
    }
    return super.append(rows);
  }

  override async messageIdOf(...request: [string, string, string]): Promise<string | undefined> {
    const found = await super.messageIdOf(...request);
    this.looked();
    await this.hearing;
    return found;
  }
}

/** A log that knows no client id until the test says so. */
class HesitantLog extends MemoryLog {
  isKnown = false;

  override async messageIdOf(...request: [string, string, string]): Promise<string | undefined> {
    const found = await super.messageIdOf(...request);
    return this.isKnown ? found : undefined;
  }
}

/** A log that does not answer what owners read, so many times. */
class SilentLog extends MemoryLog {
  silences = 0;

  override messages(...wanted: Parameters<MemoryLog['messages']>): ReturnType<MemoryLog['messages']> {
    return this.unlessSilent(() => super.messages(...wanted));
  }

  override messageIdOf(...asked: Parameters<MemoryLog['messageIdOf']>): Promise<string | undefined> {
    return this.unlessSilent(() => super.messageIdOf(...asked));
  }

  private unlessSilent<T>(ask: () => Promise<T>): Promise<T> {
    return this.silences-- > 0 ? Promise.reject(new Error('timeout')) : ask();
  }
}

/** A log whose driver does what it is asked, and forgets to say so, once for each of these. */
class ForgetfulLog extends MemoryLog {
  readonly forgets = new Set<'append' | 'catchUp' | 'messages'>();

  override append(...asked: Parameters<MemoryLog['append']>): ReturnType<MemoryLog['append']> {
    return this.unlessForgotten('append', super.append(...asked));
  }

  override catchUp(...asked: Parameters<MemoryLog['catchUp']>): ReturnType<MemoryLog['catchUp']> {
    return this.unlessForgotten('catchUp', super.catchUp(...asked));
  }

  override messages(...asked: Parameters<MemoryLog['messages']>): ReturnType<MemoryLog['messages']> {
    return this.unlessForgotten('messages', super.messages(...asked));
  }

  private unlessForgotten<T>(what: 'append' | 'catchUp' | 'messages', work: Promise<T>): Promise<T> {
    return this.forgets.delete(what) ? new Promise(() => undefined) : work;
  }
}

describe('LogOwner', () => {
  const conversationId = v7();
  const partition = partitionOf(conversationId);

  async function world<Store extends MemoryLog = SlowToRemember>(
    store: Store = new SlowToRemember() as MemoryLog as Store,
    asSeen: LogStore = store,
  ) {
    const made = await ownerWorld(asSeen, [conversationId]);
    return {
      ...made,
      store,
      submit: (name: CommandName, data: object, leftMs?: number) =>
        made.submit(conversationId, name, data, leftMs),
      send: (clientMessageId: string, leftMs?: number) => made.send(conversationId, clientMessageId, leftMs),
    };
  }

  it('does not accept a refused message behind later ones, though its sender is back meanwhile', async () => {
    const { store, submit, send } = await world();
    await submit('member.remove', { actorId: alice, userId: bob });
    const early = send('early');
    const outcome = expect(early).rejects.toMatchObject({ code: 'not_found' });
    await store.isAsked;
    await submit('member.put', { actorId: alice, userId: bob });
    expect(await send('late')).toMatchObject({ message: { number: 1 }, created: true });
    store.answer();
    await outcome;
    expect(await send('again')).toMatchObject({ message: { number: 2 } });
  });

  it('does not accept it either where the log does not answer what was decided before', async () => {
    const { store, submit, send } = await world(new SlowToAnswer());
    await submit('member.remove', { actorId: alice, userId: bob });
    const early = outcomeOf(send('early'));
    await store.isAsked;
    let cutNow!: () => void;
    store.cut = new Promise((resolve) => (cutNow = resolve));
    const put = submit('member.put', { actorId: alice, userId: bob });
    const late = send('late');
    await turns();
    // Refused while what makes it right, and a later one, are on their way to the log.
    store.answer();
    await turns();
    cutNow();
    expect(await early).toMatchObject({ code: 'unavailable' });
    expect(await late).toMatchObject({ message: { number: 1 }, created: true });
    await put;
    expect(await send('again')).toMatchObject({ message: { number: 2 } });
  });

  it('refuses for good what memory that was dropped refused, where what is stored does not allow it either', async () => {
    const { store, submit, send } = await world();
    await submit('member.remove', { actorId: alice, userId: bob });
    const early = outcomeOf(send('early'));
    await store.isAsked;
    // Somebody else, who believes to be the owner, takes a place: what is in memory is old.
    const last = store.rows.get(partition)!.get(2)!;
    store.insert({ ...last, position: 3, version: null, messageId: null });
    await submit('conversation.update', { actorId: alice, change: { title: 'new' } });
    store.answer();
    expect(await early).toMatchObject({ code: 'not_found' });
    expect(store.end(partition)).toBe(4);
  });

  it('does not refuse for good what only a change refused that is not stored', async () => {
    const { store, submit, send, clock } = await world(new SlowToAnswer());
    const { message } = await send('first');
    await sendUntilForgotten(send);
    let cutNow!: () => void;
    store.cut = new Promise((resolve) => (cutNow = resolve));
    store.loses = true;
    const removal = outcomeOf(submit('member.remove', { actorId: alice, userId: bob }, 250));
    const reply = { body: 'reply', format: 'plain', mentions: [], attachments: [], replyTo: message.id };
    const early = outcomeOf(submit('message.send', { actorId: bob, clientMessageId: 'early', ...reply }));
    await store.isAsked;
    clock.aheadMs += 100; // Nobody waits for the removal any more.
    cutNow();
    expect(await removal).toMatchObject({ code: 'unavailable' });
    store.answer();
    expect(await early).toMatchObject({ code: 'unavailable' });
    expect(await send('again')).toMatchObject({ message: { number: FORGOTTEN_AFTER + 2 }, created: true });
  });

  it('refuses, undecided, what would be answered too late', async () => {
    const { send } = await world();
    await expect(send('late', 100)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await send('late')).toMatchObject({ message: { number: 1 }, created: true });
  });

  it('reads again what the log did not answer, while somebody waits', async () => {
    const { store, send, submit, unread } = await world(new SilentLog());
    const target = { actorId: bob, messageId: v7() };
    store.silences = 3;
    const edit = submit('message.edit', { ...target, body: 'b', mentions: [] });
    const behind = send('behind');
    await expect(edit).rejects.toMatchObject({ code: 'not_found' });
    expect(await behind).toMatchObject({ message: { number: 1 } });
    expect(unread).toEqual(Array.from({ length: 3 }, () => new Error('timeout')));
    store.silences = Infinity;
    const refused = submit('message.edit', { ...target, body: 'b', mentions: [] }, 250);
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' });
    store.silences = 0;
    expect(await send('after')).toMatchObject({ message: { number: 2 } });
  });

  it('asks again whether a refused message is a repeat, while its sender waits', async () => {
    const { store, send, submit } = await world(new SilentLog());
    const first = await send('kept');
    await sendUntilForgotten(send);
    await submit('member.remove', { actorId: alice, userId: bob });
    store.silences = 3;
    expect(await send('kept')).toMatchObject({
      message: { id: (first as { message: { id: string } }).message.id },
    });
    await expect(send('new')).rejects.toMatchObject({ code: 'not_found' });
    store.silences = Infinity;
    await expect(send('newer', 250)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('goes on where the log has an answer that never comes', async () => {
    const store = new ForgetfulLog();
    const { send, submit } = await world(
      store,
      new BoundedLogStore(store, { read: 50, append: 50, catchUp: 50 }),
    );
    // Stored, and read back at the second attempt.
    store.forgets.add('append').add('catchUp');
    expect(await send('first')).toMatchObject({ message: { number: 1 }, created: true });
    store.forgets.add('messages');
    const edit = submit('message.edit', { actorId: bob, messageId: v7(), body: 'b', mentions: [] });
    const behind = send('behind');
    await expect(edit).rejects.toMatchObject({ code: 'not_found' });
    expect(await behind).toMatchObject({ message: { number: 2 } });
    expect(store.forgets.size).toBe(0);
  });

  it('appends once more, as it is, what may be lost', async () => {
    const { store, send, doubts, published } = await world(new LateLog());
    store.cutNext = 'lost';
    const [first, second] = await Promise.all([send('first'), send('second')]);
    expect(first).toMatchObject({ message: { number: 1 }, created: true });
    expect(second).toMatchObject({ message: { number: 2 }, created: true });
    expect(doubts).toEqual([new Error('the line was cut')]);
    expect(published.map(({ kind }) => kind)).toEqual([
      'conversation.created',
      'message.created',
      'message.created',
    ]);
  });

  it.each(['whole', 'torn'] as const)(
    'does once what was appended twice, of a log that is %s when an append ends early',
    async (kind) => {
      const { store, send, submit, published } = await world(new LateLog(kind));
      const { message } = (await send('first')) as { message: { id: string } };
      store.cutNext = 'late';
      const edit = { actorId: bob, messageId: message.id, body: 'changed', mentions: [] };
      const outcomes = await Promise.all([submit('message.edit', edit), send('second')]);
      expect(outcomes[0]).toMatchObject({ message: { body: 'changed', version: 3 } });
      expect(outcomes[1]).toMatchObject({ message: { number: 2, version: 4 }, created: true });
      expect(published.slice(1).map(({ kind }) => kind)).toEqual([
        'message.created',
        'message.updated',
        'message.created',
      ]);
      expect(store.end(partition)).toBe(4);
    },
  );

  it('decides again, at once, what another row keeps out for ever', async () => {
    const { store, send } = await world(new LateLog());
    store.cutNext = 'lost';
    // Meanwhile somebody else, who believes to be the owner, takes the place.
    store.onCut = () => {
      const last = store.rows.get(partition)!.get(1)!;
      store.insert({ ...last, position: 2, version: null, messageId: null, term: 1 });
    };
    expect(await send('first')).toMatchObject({ message: { number: 1 }, created: true });
    expect(store.rows.get(partition)!.get(3)).toMatchObject({ clientMessageId: 'first' });
  });

  it('does not append once more what nobody waits for any longer', async () => {
    const { store, send, clock } = await world(new LateLog());
    store.cutNext = 'lost';
    store.onCut = () => (clock.aheadMs += 60_000);
    const appends = store.appends;
    await expect(send('late')).rejects.toMatchObject({ code: 'unavailable' });
    expect(store.appends).toBe(appends + 1);
  });

  it.each(['before', 'after'])(
    'asks the log anew for a repeat where it answered %s it turned out to know more',
    async (when) => {
      const { store, submit, send, clock } = await world(new LateLog());
      store.cutNext = 'late';
      store.onCut = () => (clock.aheadMs += 60_000);
      store.arrival = store.isLooked;
      await expect(send('late')).rejects.toMatchObject({ code: 'unavailable' });
      const removal = submit('member.remove', { actorId: alice, userId: bob });
      if (when === 'after') store.hearing = removal;
      const repeat = send('late'); // Decided on a removal that will meet the late row.
      expect(await repeat).toMatchObject({ message: { number: 1 }, created: false });
      await removal;
    },
  );

  describe('whose lease has run out', () => {
    const edited = (id: string, body: string) => ({ actorId: bob, messageId: id, body, mentions: [] });

    async function expired() {
      const made = await world(new MemoryLog());
      const { message } = (await made.send('first')) as { message: { id: string } };
      made.lease.isValid = false;
      const edit = (body: string, leftMs?: number) =>
        outcomeOf(made.submit('message.edit', edited(message.id, body), leftMs));
      return { ...made, edit };
    }

    it('lets nothing that it stores overtake what it cannot answer', async () => {
      const { edit, lease, store } = await expired();
      const answered: string[] = [];
      const noChange = edit('first').finally(() => answered.push('no change'));
      const change = edit('changed').finally(() => answered.push('change'));
      await turns();
      expect(answered).toEqual([]);
      expect(store.end(partition)).toBe(2);
      lease.isValid = true;
      expect(await noChange).toMatchObject({ message: { body: 'first' } });
      expect(await change).toMatchObject({ message: { body: 'changed' } });
      expect(answered).toEqual(['no change', 'change']);
    });

    it('sends all on, in order, when its term ends', async () => {
      const { edit, owner, store } = await expired();
      const asked = [edit('first'), edit('changed')];
      await turns();
      owner.drop(partition);
      for (const outcome of await Promise.all(asked)) expect(outcome).toBeInstanceOf(Moved);
      expect(store.end(partition)).toBe(2);
    });

    it('refuses what waits too long for another', async () => {
      const { edit, clock, lease } = await expired();
      const asked = edit('first', 1000);
      await turns();
      clock.aheadMs += 900;
      expect(await asked).toMatchObject({ code: 'unavailable' });
      lease.isValid = true;
      expect(await edit('first')).toMatchObject({ message: { body: 'first' } });
    });

    it('refuses for good once its lease says that nobody else has decided', async () => {
      const { send, submit, lease } = await world(new MemoryLog());
      await submit('member.remove', { actorId: alice, userId: bob });
      lease.isValid = false;
      const answered: unknown[] = [];
      const refused = outcomeOf(send('refused')).then((outcome) => answered.push(outcome));
      await turns();
      expect(answered).toEqual([]);
      lease.isValid = true;
      await refused;
      expect(answered).toMatchObject([{ code: 'not_found' }]);
    });

    it('asks the log anew for a repeat after the pause', async () => {
      const { store, send, submit, lease } = await world(new HesitantLog());
      const { message } = await send('kept');
      await sendUntilForgotten(send);
      await submit('member.remove', { actorId: alice, userId: bob });
      lease.isValid = false;
      const repeat = send('kept');
      await turns();
      store.isKnown = true;
      lease.isValid = true;
      expect(await repeat).toEqual({ message, created: false });
    });

    it('does not let the next owner accept late what it refused', async () => {
      const { owner, send, submit, lease } = await world(new MemoryLog());
      await submit('member.remove', { actorId: alice, userId: bob });
      lease.isValid = false;
      const refused = outcomeOf(send('refused'));
      await turns();
      owner.drop(partition);
      expect(await refused).toMatchObject({ code: 'unavailable' });
    });
  });

  it('recognises a repeat of somebody who was removed since', async () => {
    const { store, submit, send } = await world();
    const first = await send('kept');
    await sendUntilForgotten(send);
    await submit('member.remove', { actorId: alice, userId: bob });
    store.answer();
    expect(await send('kept')).toMatchObject({
      message: (first as { message: object }).message,
      created: false,
    });
  });
});
