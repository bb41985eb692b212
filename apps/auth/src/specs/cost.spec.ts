import { pgPool } from '@parley/service';
import { pagesTouched } from '@parley/testing';
import type { Authenticated, Session, Tokens } from '@parley/contracts';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { SessionJanitor } from '../session/session.janitor';
import { call, listen, password, query, register, registration, startWorld, type World } from './world';

const OTHERS = 30_000;
const PUBLISHED = 5000;
/** What the largest of these calls reads and writes, and the way to it in each index. No table of others is so small. */
const PAGES_MAX = 250;

/** Others have sessions, of which some have ended, and of their events, long published, the rows have not been cleared away. */
const fill = `
  insert into auth.users (id, email, email_key, username, username_key, display_name, display_name_key)
  select gen_random_uuid(), u || '@x', u || '@x', u, u, u, u
  from (select 'other' || i as u from generate_series(1, ${OTHERS}) i) as made;
  insert into auth.credentials (user_id, password_hash)
  select id, repeat('x', 97) from auth.users where username like 'other%';
  insert into auth.sessions (id, user_id, expires_at, revoked_at, generation, current_hash, tag_key)
  select gen_random_uuid(), id, now() + interval '1 day', case when random() < 0.1 then now() end, 0, 'x', 'x'
  from auth.users where username like 'other%';
  insert into auth.outbox (event, traceparent)
  select jsonb_build_object('kind', repeat('x', 1000)), 'x' from generate_series(1, ${PUBLISHED});
  delete from auth.outbox where event ->> 'kind' = repeat('x', 1000);`;

let world: World;
let pool: Pool;
let heard: Awaited<ReturnType<typeof listen>>;
let alice: Authenticated;
let others: string[];
beforeAll(async () => {
  world = await startWorld({ DATABASE_POOL_MAX: '1' });
  pool = pgPool(service().app.get(DataSource));
  heard = await listen(world.config.AMQP_URL);
  alice = await register(service(), 'alice');
  for (const table of ['users', 'credentials', 'sessions', 'outbox'])
    await query(world, `alter table auth.${table} set (autovacuum_enabled = false)`);
  await query(world, fill);
  const some = await query<{ id: string }>(world, 'select id from auth.users order by id limit 20');
  others = some.map(({ id }) => id);
});
afterAll(async () => {
  await heard.close();
  await world.stop();
});

const service = () => world.services[0]!;
/** What is made has another name each time. */
let made = 0;

async function ask<T = unknown>(
  method: string,
  path: string,
  body?: unknown,
  tokens = alice.tokens,
): Promise<T> {
  const answer = await call<T>(service(), method, path, { body, token: tokens.accessToken });
  expect(answer.status).toBeLessThan(300);
  return answer.body;
}

async function login(): Promise<Tokens> {
  return (await ask<Authenticated>('POST', '/v1/auth/login', { login: 'alice', password })).tokens;
}

/** Until the event is with the broker. */
async function rename(): Promise<void> {
  const displayName = `Alice ${(made += 1)}`;
  await ask('PATCH', '/v1/users/me', { displayName });
  await heard.until(1, (event) => event.kind === 'user.changed' && event.user.displayName === displayName);
}

async function refresh(): Promise<void> {
  const { refreshToken } = alice.tokens;
  alice = { ...alice, ...(await ask<{ tokens: Tokens }>('POST', '/v1/auth/refresh', { refreshToken })) };
}

async function signOut(): Promise<void> {
  const phone = await login();
  const { items } = await ask<{ items: Session[] }>('GET', '/v1/auth/sessions', undefined, phone);
  await ask('DELETE', `/v1/auth/sessions/${items.find((item) => item.current)!.id}`);
}

const calls: [string, () => Promise<unknown>][] = [
  ['registering', () => ask('POST', '/v1/auth/register', registration(`new${(made += 1)}`))],
  ['logging in', login],
  ['logging in by mail', () => ask('POST', '/v1/auth/login', { login: alice.user.email, password })],
  ['refreshing', refresh],
  ['the list of sessions', () => ask('GET', '/v1/auth/sessions')],
  ['a page of it', () => ask('GET', '/v1/auth/sessions?limit=1')],
  ['signing another device out', signOut],
  ['a ticket', () => ask('POST', '/v1/auth/realtime-tickets')],
  [
    'another password',
    () => ask('POST', '/v1/auth/password/change', { currentPassword: password, newPassword: password }),
  ],
  ['oneself', () => ask('GET', '/v1/users/me')],
  ['another one', () => ask('GET', `/v1/users/${others[0]}`)],
  ['several', () => ask('GET', `/v1/users?ids=${others.join(',')}`)],
  ['a change that is published', rename],
  ['looking for ended sessions', () => service().app.get(SessionJanitor).sweep()],
];

describe.each(['of which nothing is known', 'of which there are statistics'])('in tables %s', (which) => {
  beforeAll(async () => {
    if (which.includes('statistics')) await query(world, 'analyze');
  });
  describe.each(['auto', 'force_generic_plan'])('with plans %s', (mode) => {
    beforeAll(() => pool.query(`set plan_cache_mode = ${mode}`));
    it.each(calls)('%s costs what one has, not what others have', async (_, work) => {
      // The first one also asks for what the tables look like, and takes note of what is dead in them.
      await work();
      const pages = await pagesTouched(pool, work);
      expect(pages).toBeLessThanOrEqual(PAGES_MAX);
    });
  });
});
