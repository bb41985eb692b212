import { v7 } from 'uuid';
import { alice, apart, bob, ownerWorld } from '../testing/owner.world';
import { MemoryLog } from '../testing/simulation/simulated.store';
import type { LogRow } from './log.store';

const CHARACTERS_MAX = 4_000_000;
const ENTRY_CHARACTERS = 500;

/** A log that remembers what came together. */
class Remembering extends MemoryLog {
  readonly batches: LogRow[][] = [];

  override append(rows: LogRow[]) {
    this.batches.push(rows);
    return super.append(rows);
  }
}

describe('one append', () => {
  it('takes no more text than the log can store in time, and lets nobody wait behind all of it', async () => {
    const log = new Remembering();
    const [here, there] = apart(2) as [string, string];
    const { submit, send } = await ownerWorld(log, [here, there]);
    log.batches.length = 0;
    const message = { body: 'x'.repeat(50_000), format: 'plain', mentions: [], attachments: [] };
    const large = Array.from({ length: 300 }, (_, i) =>
      submit(here, 'message.send', { actorId: bob, clientMessageId: `${i}`, ...message }),
    );
    const small = send(there, 'small');
    await Promise.all([...large, small]);
    const sizes = log.batches.map((rows) => rows.reduce((sum, { event }) => sum + event.length, 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(CHARACTERS_MAX);
    expect(sizes.length).toBeLessThanOrEqual(5);
    const place = log.batches.findIndex((rows) =>
      rows.some(({ clientMessageId }) => clientMessageId === 'small'),
    );
    expect(place).toBeLessThanOrEqual(1);
  });

  it('takes a row that is larger than that by itself', async () => {
    const log = new Remembering();
    const [here] = apart(1) as [string];
    const { submit } = await ownerWorld(log, [here]);
    log.batches.length = 0;
    const message = { format: 'plain', mentions: [], attachments: [] };
    const sent = ['x'.repeat(CHARACTERS_MAX), 'small'].map((body, i) =>
      submit(here, 'message.send', { actorId: bob, clientMessageId: `${i}`, body, ...message }),
    );
    expect(await Promise.all(sent)).toMatchObject([{ created: true }, { created: true }]);
    expect(log.batches.map((rows) => rows.length)).toEqual([1, 1]);
  });

  it('makes no more members than the log can store in time', async () => {
    const log = new Remembering();
    const { submit } = await ownerWorld(log, apart(64));
    log.batches.length = 0;
    const memberIds = Array.from({ length: 300 }, () => v7());
    const group = { type: 'group', title: null, topic: null, visibility: 'private', requestHash: 'r' };
    const created = apart(64).map((id) =>
      submit(id, 'conversation.create', { actorId: alice, memberIds, ...group }),
    );
    await Promise.all(created);
    for (const rows of log.batches) {
      const members = rows.reduce((sum, { memberships }) => sum + memberships.length, 0);
      expect(members).toBeLessThanOrEqual(CHARACTERS_MAX / ENTRY_CHARACTERS);
    }
  });
});
