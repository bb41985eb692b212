import { Moved } from '@parley/broker';
import { partitionOf } from '@parley/contracts';
import { alice, apart, bob, outcomeOf, ownerWorld, turns, type Reply } from '../testing/owner.world';
import { Troubled } from '../testing/troubled.log';
import { v7 } from 'uuid';
import { ClientIdTaken, LOG_CONNECTIONS, type LogRow } from './log.store';
import { UNANSWERED_MAX } from './partition';

const unavailable = { code: 'unavailable' };
const [here, there] = apart(2) as [string, string];
const MINUTES_10 = 600_000;

describe('of a log that is away', () => {
  it('stores nothing for those who left while it was read', async () => {
    const log = new Troubled();
    const { send, clock } = await ownerWorld(log, [here]);
    log.cutNext = () => undefined;
    log.onCatchUp = () => {
      log.onCatchUp = undefined;
      clock.aheadMs += 10_000;
    };
    expect(await outcomeOf(send(here, 'late', 2000))).toMatchObject(unavailable);
    expect(log.end(partitionOf(here))).toBe(1);
  });

  it.each(['whole', 'torn'] as const)(
    'answers all who asked while they wait, of one that is %s',
    async (kind) => {
      const log = new Troubled(kind);
      const { send, clock } = await ownerWorld(log, [here, there]);
      log.isAway = true;
      const inDoubt = outcomeOf(send(here, 'in doubt', 2000));
      await turns();
      const ends: unknown[] = [];
      for (const id of [here, there])
        for (let i = 0; i < 600; i++) void outcomeOf(send(id, `${i}`, 2000)).then((end) => ends.push(end));
      await turns();
      clock.aheadMs += MINUTES_10;
      await turns();
      const rows = log.end(partitionOf(there));
      expect(ends).toHaveLength(1200);
      for (const end of ends) expect(end).toMatchObject(unavailable);
      log.isAway = false;
      // Of this one nobody knew until now.
      expect(await inDoubt).toMatchObject(unavailable);
      expect(log.end(partitionOf(there))).toBe(rows);
      expect(await send(there, 'after')).toMatchObject({ created: true });
    },
  );

  it('goes on with one partition while another cannot be read', async () => {
    const log = new Troubled();
    const { send, clock } = await ownerWorld(log, [here, there]);
    log.cutNext = () => (clock.aheadMs += 1000);
    let isAway = true;
    log.onCatchUp = (partitions) => {
      if (isAway && partitions.includes(partitionOf(there))) throw new Error('away');
    };
    const late = outcomeOf(send(there, 'late', 1000));
    await turns();
    expect(await send(here, 'in time')).toMatchObject({ created: true });
    isAway = false;
    expect(await late).toMatchObject(unavailable);
  });
});

it('recovers one partition while another cannot be read', async () => {
  const log = new Troubled();
  const { send, clock } = await ownerWorld(log, [here, there]);
  let isAway = true;
  log.onCatchUp = (partitions) => {
    if (isAway && partitions.includes(partitionOf(there))) throw new Error('away');
  };
  log.cutNext = () => (clock.aheadMs += 900);
  const stuck = outcomeOf(send(there, 'stuck', 1000));
  await turns();
  log.intrude(here);
  expect(await send(here, 'goes on')).toMatchObject({ created: true });
  isAway = false;
  expect(await stuck).toMatchObject(unavailable);
});

describe('a later message does not overtake one of its sender that was refused', () => {
  /** An append that goes on until the test says so. */
  function holding(log: Troubled): () => void {
    let go!: () => void;
    log.held = new Promise((resolve) => (go = resolve));
    return () => {
      log.held = undefined;
      go();
    };
  }

  it('because nobody waited any more', async () => {
    const log = new Troubled();
    const { send, clock } = await ownerWorld(log, [here, there]);
    const go = holding(log);
    const busy = send(there, 'busy');
    await turns();
    const [one, two] = [outcomeOf(send(here, 'one', 2000)), outcomeOf(send(here, 'two', 3500))];
    await turns();
    clock.aheadMs += 1900;
    go();
    expect(await busy).toMatchObject({ created: true });
    expect([await one, await two]).toMatchObject([unavailable, unavailable]);
  });

  it('because nobody knows whether it is stored', async () => {
    const log = new Troubled();
    const { send, clock } = await ownerWorld(log, [here]);
    log.cutNext = () => undefined;
    const go = holding(log);
    const one = outcomeOf(send(here, 'one', 2000));
    await turns();
    const two = outcomeOf(send(here, 'two', 3500));
    await turns(1);
    clock.aheadMs += 1900;
    go();
    expect([await one, await two]).toMatchObject([unavailable, unavailable]);
  });
});

it('gives the log to all whose rows it takes, when it refuses a row of an append', async () => {
  const log = new Troubled();
  const { send } = await ownerWorld(log, [here, there]);
  log.refuses = ({ clientMessageId }) => clientMessageId === 'bad';
  const sent = [send(there, 'bad'), send(here, 'one'), send(here, 'two')].map(outcomeOf);
  const created = { created: true };
  expect(await Promise.all(sent)).toMatchObject([unavailable, created, created]);
});

it('does not bring back what a message was, for a command elsewhere that names it', async () => {
  let elsewhere = v7();
  while (partitionOf(elsewhere) !== partitionOf(here)) elsewhere = v7();
  const log = new Troubled();
  const { owner, send, submit } = await ownerWorld(log, [here]);
  const partition = partitionOf(here);
  const messageId = (await send(here, 'first')).message.id;
  owner.drop(partition);
  await owner.open(new Map([[partition, 2]]));
  let go!: () => void;
  const held = new Promise<void>((resolve) => (go = resolve));
  log.onConversations = (ids) => (ids.includes(elsewhere) ? held : undefined);
  await submit(here, 'read.mark', { actorId: alice, number: 1 }, undefined, 2); // `here` is in memory, and not the message.
  const edit = { actorId: bob, messageId, mentions: [] };
  const stray = outcomeOf(submit(elsewhere, 'message.edit', { ...edit, body: 'stray' }, undefined, 2));
  await turns();
  await submit(here, 'message.edit', { ...edit, body: 'changed' }, undefined, 2);
  go();
  expect(await stray).toMatchObject({ code: 'not_found' });
  const reaction = { actorId: alice, messageId, emoji: '👍', present: true };
  const reacted = await submit(here, 'reaction.set', reaction, undefined, 2);
  expect(reacted).toMatchObject({ message: { body: 'changed', version: 4 } });
});

it('does not say that a message is gone which memory has forgotten', async () => {
  let beside = v7();
  while (partitionOf(beside) !== partitionOf(here)) beside = v7();
  const log = new Troubled();
  const { send, submit, lease } = await ownerWorld(log, [here, beside]);
  const replyTo = (await send(here, 'first')).message.id;
  const forget = () => Promise.all(Array.from({ length: 200 }, () => send(beside, v7())));
  const archive = (archived: boolean) =>
    submit(here, 'conversation.update', { actorId: alice, change: { archived } });
  await archive(true);
  await forget();
  let go!: () => void;
  log.asked = new Promise((resolve) => (go = resolve));
  const message = { clientMessageId: 're', body: 're', format: 'plain', mentions: [], attachments: [] };
  const reply = outcomeOf(submit(here, 'message.send', { actorId: bob, replyTo, ...message }));
  await turns();
  await archive(false);
  await forget();
  lease.isValid = false;
  go();
  await turns();
  lease.isValid = true;
  expect(await reply).toMatchObject(unavailable);
});

it('counts those who wait for a conversation to be read', async () => {
  const log = new Troubled();
  const { owner, send } = await ownerWorld(log, [here]);
  owner.drop(partitionOf(here));
  await owner.open(new Map([[partitionOf(here), 2]]));
  let go!: () => void;
  log.onConversations = () => new Promise((resolve) => (go = resolve));
  const sent = Array.from({ length: UNANSWERED_MAX + 100 }, (_, i) =>
    outcomeOf(send(here, `${i}`, undefined, 2)),
  );
  await turns();
  go();
  const refused = (await Promise.all(sent)).filter((end) => end instanceof Error);
  expect(refused).toHaveLength(100);
});

it('ends a term in order though the log is away', async () => {
  const log = new Troubled();
  const { owner, send, clock } = await ownerWorld(log, [here]);
  log.isAway = true;
  const sent = outcomeOf(send(here, 'x', 2000));
  await turns();
  const closed = owner.close(partitionOf(here));
  clock.aheadMs += 10_000;
  await closed;
  expect(await sent).toMatchObject(unavailable);
});

describe('of an append of which nobody knows', () => {
  it('decides again all that stands behind a row that is kept out', async () => {
    const log = new Troubled();
    const { send } = await ownerWorld(log, [here]);
    log.cutNext = () => log.intrude(here);
    const sent = await Promise.all(['x', 'y', 'z'].map((clientMessageId) => send(here, clientMessageId)));
    expect(sent.map(({ message, created }) => [message.number, created])).toEqual([
      [1, true],
      [2, true],
      [3, true],
    ]);
  });

  it('answers nothing before it is projected', async () => {
    const log = new Troubled('torn');
    const { send, submit, clock, owner } = await ownerWorld(log, [here]);
    let late: LogRow[] = [];
    log.cutNext = (rows) => {
      clock.aheadMs += 59_900;
      late = rows;
    };
    // It arrives after the tail was read, and before what stands there is.
    log.onRead = () => late.forEach((row) => log.insert(row));
    expect(await send(here, 'x')).toMatchObject({ created: true });
    expect(log.states.get(here)).toMatchObject({ messageCount: 1 });
    expect(owner.heads().get(partitionOf(here))).toBe(2);
    const mark = await submit(here, 'read.mark', { actorId: alice, number: 1 });
    expect(mark).toMatchObject({ readNumber: 1 });
  });

  it.each(['whole', 'torn'] as const)(
    'finds what comes after it was refused, of one that is %s',
    async (kind) => {
      const log = new Troubled(kind);
      const { send, submit, clock, owner, wake } = await ownerWorld(log, [here]);
      let late: LogRow[] = [];
      log.cutNext = (rows) => {
        clock.aheadMs += 59_900;
        late = rows;
      };
      expect(await outcomeOf(send(here, 'x'))).toMatchObject(unavailable);
      await log.append(late);
      await wake();
      expect(owner.heads().get(partitionOf(here))).toBe(2);
      const mark = await submit(here, 'read.mark', { actorId: alice, number: 1 });
      expect(mark).toMatchObject({ readNumber: 1 });
    },
  );

  it('recognises a repeat that it holds, and decides again what it was appended with', async () => {
    const log = new Troubled();
    const { send, submit } = await ownerWorld(log, [here]);
    const first = await send(here, 'kept');
    for (let i = 0; i < 1200; i++) await send(here, `other ${i}`); // Until memory has forgotten it.
    log.cutNext = () => undefined;
    const title = { actorId: alice, change: { title: 't' } };
    const [repeat, update] = await Promise.all([
      send(here, 'kept'),
      outcomeOf(submit(here, 'conversation.update', title)),
    ]);
    expect(repeat).toMatchObject({ message: { id: first.message.id }, created: false });
    expect(update).toMatchObject({ conversation: { title: 't' } });
  });
});

it('is not held up by a row that the log never takes', async () => {
  const log = new Troubled();
  const { send } = await ownerWorld(log, [here, there]);
  log.refuses = ({ clientMessageId }) => clientMessageId === 'bad';
  const bad = outcomeOf(send(here, 'bad'));
  await turns(1);
  const good = send(there, 'good');
  expect(await bad).toMatchObject(unavailable);
  expect(await good).toMatchObject({ created: true });
  expect(log.appends).toBeLessThanOrEqual(5);
});

it('knows the client id of each message that is not stored yet', async () => {
  const log = new Troubled();
  const { send } = await ownerWorld(log, [here]);
  for (let i = 0; i < 254; i++) await send(here, `before ${i}`);
  let go!: () => void;
  log.held = new Promise((resolve) => (go = resolve));
  const first = send(here, 'first');
  await turns();
  const [twice, next] = [send(here, 'twice'), send(here, 'next')];
  const others = Array.from({ length: 490 }, (_, i) => send(here, `other ${i}`));
  const again = send(here, 'twice');
  await turns();
  go();
  await Promise.all([first, ...others]);
  const numbers = (await Promise.all([twice, next, again])).map(({ message }: Reply) => message.number);
  expect(numbers).toEqual([256, 257, 256]);
});

it('gives the log nothing of those who left while it took the rows of others one by one', async () => {
  const log = new Troubled();
  const [one, two, three] = apart(3) as [string, string, string];
  const { send, clock } = await ownerWorld(log, [one, two, three]);
  const before = log.appends;
  log.refuses = () => log.appends === before + 1; // What is appended together.
  log.onAppend = () => {
    if (log.appends === before + 2) clock.aheadMs += 2000;
  };
  const sent = [send(one, '1', 3000), send(two, '2', 2000), send(three, '3', 4000)].map(outcomeOf);
  const created = { created: true };
  expect(await Promise.all(sent)).toMatchObject([created, unavailable, created]);
  expect(log.appends).toBe(before + 3);
});

describe('when terms begin', () => {
  const termsOf = (ids: string[]) => new Map(ids.map((id) => [partitionOf(id), 2]));

  it('serves the partitions whose log can be read, and says which cannot', async () => {
    const log = new Troubled();
    const { owner, send } = await ownerWorld(log, [here, there]);
    for (const id of [here, there]) owner.drop(partitionOf(id));
    log.onCatchUp = (partitions) => {
      if (partitions.includes(partitionOf(here))) throw new Error('away');
    };
    const unserved = await owner.open(termsOf([here, there]));
    expect(unserved).toEqual(new Map([[partitionOf(here), new Error('away')]]));
    expect(await send(there, 'x', undefined, 2)).toMatchObject({ created: true });
    expect(await outcomeOf(send(here, 'x', undefined, 2))).toBeInstanceOf(Moved);
  });

  it('asks once for all, and of a log that is away a few times', async () => {
    const log = new Troubled();
    const many = apart(30);
    const { owner } = await ownerWorld(log, many);
    for (const id of many) owner.drop(partitionOf(id));
    let asked = 0;
    log.onCatchUp = () => void (asked += 1);
    log.isAway = true;
    expect((await owner.open(termsOf(many))).size).toBe(30);
    expect(asked).toBeLessThan(10);
    log.isAway = false;
    asked = 0;
    expect((await owner.open(termsOf(many))).size).toBe(0);
    expect(asked).toBe(1);
  });
});

it('leaves the log a connection for commits, however much is to be read', async () => {
  const log = new Troubled();
  const many = apart(8);
  const { send } = await ownerWorld(log, many);
  log.cutNext = () => undefined;
  let [asking, most] = [0, 0];
  log.onCatchUp = async () => {
    most = Math.max(most, ++asking);
    await turns();
    asking -= 1;
  };
  await Promise.all(many.map((id) => send(id, 'x')));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThan(LOG_CONNECTIONS);
});

it('does not accept behind later ones what the log knew and has lost', async () => {
  const log = new Troubled();
  const { send } = await ownerWorld(log, [here]);
  log.meets = new ClientIdTaken(here, bob, 'first');
  const [first, second] = [outcomeOf(send(here, 'first')), send(here, 'second')];
  expect(await first).toMatchObject(unavailable);
  expect(await second).toMatchObject({ message: { number: 1 }, created: true });
  expect(await send(here, 'first')).toMatchObject({ message: { number: 2 }, created: true });
});

describe('of a term that is over', () => {
  it('gives the log nothing once more', async () => {
    const log = new Troubled();
    const { send, owner } = await ownerWorld(log, [here, there]);
    const before = log.appends;
    log.onAppend = () => {
      if (log.appends === before + 1) owner.drop(partitionOf(there));
    };
    log.intrude(here);
    const [one, other] = [outcomeOf(send(here, 'one')), outcomeOf(send(there, 'other'))];
    expect(await other).toBeInstanceOf(Moved);
    expect(await one).toMatchObject({ created: true });
    expect(log.end(partitionOf(there))).toBe(1);
  });

  it('leaves the next one of this very instance alone, when the log is read at last', async () => {
    const log = new Troubled();
    const { send, owner, lost } = await ownerWorld(log, [here]);
    const partition = partitionOf(here);
    let answer!: () => void;
    const frozen = new Promise<void>((resolve) => (answer = resolve));
    log.cutNext = () => undefined;
    log.onCatchUp = () => frozen;
    const old = outcomeOf(send(here, 'x'));
    await turns();
    owner.drop(partition); // The lease has run out, and another instance has written.
    log.onCatchUp = undefined;
    log.intrude(here, 2);
    await owner.open(new Map([[partition, 3]]));
    answer();
    await old;
    expect(await send(here, 'y', undefined, 3)).toMatchObject({ created: true });
    expect(lost).toEqual([]);
  });

  it('leaves the next one alone, when it ends in order', async () => {
    const log = new Troubled();
    const { send, owner } = await ownerWorld(log, [here]);
    const partition = partitionOf(here);
    let go!: () => void;
    log.held = new Promise((resolve) => (go = resolve));
    const old = outcomeOf(send(here, 'x'));
    await turns();
    const closed = owner.close(partition);
    owner.drop(partition);
    await owner.open(new Map([[partition, 2]]));
    await closed;
    go();
    await old;
    expect(await send(here, 'y', undefined, 2)).toMatchObject({ created: true });
  });
});
