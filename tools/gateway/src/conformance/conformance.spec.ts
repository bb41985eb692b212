import { freshRedis } from '@parley/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { casesOf } from './report';
import { startStandIn } from './stand-in';
import type { World } from './world';

describe.each(['points', 'contract'] as const)('the stand-in, %s', (part) => {
  let dir: string;
  let world: World;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gateway-'));
    world = await startStandIn(part, await freshRedis(), dir);
  });
  afterAll(async () => {
    await world.close();
    await rm(dir, { recursive: true });
  });

  it.each(casesOf(part).map((one) => [one.title, one] as const))('%s', (_, one) => one.run(world));
});
