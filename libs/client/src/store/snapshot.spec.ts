import type { Conversation } from '@parley/contracts';
import { MemoryStorage, silentLogger } from '../environment';
import { VirtualClock } from '../testing/virtual-clock';
import { Snapshots } from './snapshot';
import { Store } from './store';

/** As a browser's: holds so many characters, and throws at more. */
class SmallStorage extends MemoryStorage {
  constructor(private readonly charsMax: number) {
    super();
  }

  override async set(key: string, value: string): Promise<void> {
    const others = (await this.keys('')).filter((one) => one !== key);
    const texts = await Promise.all(others.map((one) => this.get(one)));
    const chars = [...texts, value].reduce((sum, text) => sum + text!.length, 0);
    if (chars > this.charsMax) throw new Error('The quota has been exceeded.');
    await super.set(key, value);
  }
}

function conversation(id: string): Conversation {
  return {
    id,
    type: 'group',
    title: 'x'.repeat(120),
    topic: null,
    visibility: 'private',
    archived: false,
    createdBy: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    version: 1,
    messageCount: 0,
    memberCount: 1,
  };
}

it('makes room where storage has none, for tokens and what is unsent need it more', async () => {
  const storage = new SmallStorage(4_000);
  const clock = new VirtualClock();
  const store = new Store(true, 2_000);
  const environment = { clock, storage, logger: silentLogger, random: () => 0.5 };
  const snapshots = new Snapshots(environment, store);
  store.reset('user');
  store.epoch = 'epoch';
  for (let i = 0; i < 50; i += 1) {
    store.applyCreated(conversation(`c${i}`));
    await clock.pass(2_000);
  }
  await storage.set('outbox.user.m', 'y'.repeat(3_900));
  await clock.pass(2_000);
  expect(await storage.keys('state.')).toEqual([]);
  expect(clock.next).toBeUndefined();

  // It fits again where there is less to keep.
  await snapshots.load('user');
  await storage.delete('outbox.user.m');
  store.reset('user');
  store.epoch = 'epoch';
  store.applyCreated(conversation('c'));
  await clock.pass(2_000);
  expect(await storage.keys('state.')).toHaveLength(2);
});

it('starts from nothing where it cannot read what was kept', async () => {
  const storage = new MemoryStorage();
  const environment = { clock: new VirtualClock(), storage, logger: silentLogger, random: () => 0.5 };
  for (const text of ['', '{', 'null', '{"format":1}']) {
    await storage.set('state.user.account', '{"format":1,"epoch":"e","accountCursor":null}');
    await storage.set('state.user.conversation.c', text);
    await new Snapshots(environment, new Store(true, 2_000)).load('user');
    await storage.set('state.user.account', text);
    await new Snapshots(environment, new Store(true, 2_000)).load('user');
  }
});
