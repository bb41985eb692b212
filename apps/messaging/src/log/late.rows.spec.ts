import { partitionOf } from '@parley/contracts';
import { v7 } from 'uuid';
import { alice, apart, outcomeOf, ownerWorld } from '../testing/owner.world';
import { Troubled } from '../testing/troubled.log';

const [here, there] = apart(2) as [string, string];

it('finds what a former owner, who has not heard of it, stores after a term has begun', async () => {
  const log = new Troubled();
  const former = await ownerWorld(log, [here]);
  const present = await ownerWorld(log, [here]);
  const carol = v7();
  const message = { clientMessageId: 'x', body: 'x', format: 'plain', mentions: [], attachments: [] };
  const write = () => outcomeOf(present.submit(here, 'message.send', { actorId: carol, ...message }));
  expect(await write()).toMatchObject({ code: 'not_found' });
  await former.submit(here, 'member.put', { actorId: alice, userId: carol });
  await present.wake();
  expect(present.owner.heads().get(partitionOf(here))).toBe(2);
  expect(await write()).toMatchObject({ created: true });
});

it('looks for late rows no longer than they may take', async () => {
  const log = new Troubled();
  const { owner, wake } = await ownerWorld(log, [here, there]);
  let asked: number[] = [];
  log.onCatchUp = (partitions) => void (asked = partitions);
  await wake();
  expect(asked.sort()).toEqual([here, there].map(partitionOf).sort());
  owner.drop(partitionOf(here));
  await wake();
  expect(asked).toEqual([partitionOf(there)]);
  for (let i = 0; i < 60; i++) await wake();
  asked = [];
  await wake();
  expect(asked).toEqual([]);
});
