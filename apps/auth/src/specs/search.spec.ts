import { pgPool } from '@parley/service';
import { pagesTouched } from '@parley/testing';
import type { Authenticated, User } from '@parley/contracts';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { call, query, register, startWorld, type World } from './world';

const MANY = 60_000;
const FEW = 100;
/** Two pages of a list, each row of them on a page of the table of its own, and the way to them. */
const PAGES_MAX = 300;

interface UserPage {
  items: User[];
  nextCursor: string | null;
}

let world: World;
let searcher: Authenticated;
beforeAll(async () => {
  world = await startWorld({ DATABASE_POOL_MAX: '1' });
  searcher = await register(world.services[0]!, '0searcher');
});
afterAll(() => world.stop());

const page = (text: string, rest = '') =>
  call<UserPage>(world.services[0]!, 'GET', `/v1/users?query=${encodeURIComponent(text)}${rest}`, {
    token: searcher.tokens.accessToken,
  });

/** Usernames of everybody found, page by page, and how many each page held. */
async function pages(text: string, limit: number) {
  const found: string[] = [];
  const sizes: number[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body }: { status: number; body: UserPage } = await page(
      text,
      `&limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    expect(status).toBe(200);
    found.push(...body.items.map((user) => user.username));
    sizes.push(body.items.length);
    cursor = body.nextCursor;
  }
  return { found, sizes };
}

const insert = `
  insert into auth.users (id, email, email_key, username, username_key, display_name, display_name_key)
  select gen_random_uuid(), u || '@x', lower(u) || '@x', u, lower(u), d, normalize(lower(d), nfkc)
  from (select $1 || lpad(i::text, 5, '0') as u, $2 as d from generate_series(1, $3::integer) i) as made`;

describe('of both halves', () => {
  const numbered = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${name}${String(i + 1).padStart(5, '0')}`);
  beforeAll(async () => {
    await query(world, insert, ['Kim', 'KIM Minji', 3]);
    await query(world, insert, ['x-', 'Kim Minji', 4]);
    await query(world, insert, ['w-', 'kimono', 2]);
    await query(world, insert, ['v-', '\u{10FFFF}\u{10FFFF}', 3]);
    await query(world, insert, ['u-', '\u{FDFA}'.repeat(80), 3]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('everybody is found once, %d at a time', async (limit) => {
    const { found } = await pages('ＫI', limit);
    expect(found.slice(0, 3)).toEqual(numbered('Kim', 3));
    expect(found.slice(3, 7).sort()).toEqual(numbered('x-', 4));
    expect(found.slice(7).sort()).toEqual(numbered('w-', 2));
  });

  it('the first page is full, whoever is passed over in its second half', async () => {
    expect((await pages('kim', 4)).sizes[0]).toBe(4);
    expect((await pages('kim', 8)).sizes).toEqual([8, 1]);
    expect((await pages('kim', 9)).sizes).toEqual([9]);
  });

  it.each([
    ['the last of all characters', '\u{10FFFF}', 'v-'],
    ['what unfolds to the longest name', '\u{FDFA}', 'u-'],
    ['the longest name', '\u{FDFA}'.repeat(80), 'u-'],
  ])('%s are searched for, too', async (_, text, name) => {
    expect((await pages(text, 1)).found.sort()).toEqual(numbered(name, 3));
  });

  it('a cursor of the release before goes on after its username', async () => {
    const cursor = Buffer.from('kim00002').toString('base64url');
    const { body } = await page('kim', `&cursor=${cursor}`);
    expect(body.items.map((user) => user.username).slice(0, 1)).toEqual(['Kim00003']);
    expect(body.items).toHaveLength(1 + 4 + 2);
  });

  it.each([
    ['no id', 'nonsense Kim'],
    ['no name', '00000000-0000-0000-0000-000000000000 '],
    ['what no name holds', '00000000-0000-0000-0000-000000000000 Kim\0'],
  ])('a cursor with %s is refused', async (_, key) => {
    const { status, body } = await page('kim', `&cursor=${Buffer.from(key).toString('base64url')}`);
    expect([status, body]).toMatchObject([400, { code: 'invalid_request' }]);
  });
});

describe('among very many', () => {
  let pool: Pool;
  beforeAll(async () => {
    pool = pgPool(world.services[0]!.app.get(DataSource));
    await query(world, 'alter table auth.users set (autovacuum_enabled = false)');
    await query(world, insert, ['a', 'Ann', MANY]);
    await query(world, insert, ['b', 'Zoe', FEW]);
    await query(world, insert, ['z', 'Zed', FEW]);
  });

  describe.each(['of whom nothing is known', 'of whom there are statistics'])('%s', (which) => {
    beforeAll(async () => {
      if (which.includes('statistics')) await query(world, 'analyze auth.users');
    });
    describe.each(['auto', 'force_generic_plan'])('with plans %s', (mode) => {
      beforeAll(() => pool.query(`set plan_cache_mode = ${mode}`));
      it.each(['z', 'ze', 'zoe', 'a', 'an', 'b', 'q', '0', '張'])(
        'a search for %j costs what it finds',
        async (text) => {
          // The first reading also asks for what the tables look like.
          await page(text);
          for (const limit of [1, 100]) {
            const touched = await pagesTouched(pool, () => page(text, `&limit=${limit}`));
            expect(touched).toBeLessThanOrEqual(PAGES_MAX);
          }
        },
      );
      it('so does its end, before which everybody is passed over', async () => {
        const end = `&cursor=${Buffer.from(`a${MANY}`).toString('base64url')}`;
        await page('a', end);
        expect(await pagesTouched(pool, () => page('a', end))).toBeLessThanOrEqual(PAGES_MAX);
      });
    });
  });
});
