import { randomUUID } from 'node:crypto';
import { limits, type MyConversation, type SyncPayload, type SyncResult } from '@parley/contracts';
import { CpuMeter, createCircle, mapBounded, type Person, pidsOf, registerPeople } from '@parley/tool-load';
import { quantile } from '../crowd/totals';
import { exact, hard, least, type PartResult, time } from '../finding';
import { readMemory } from '../measure/memory';
import { sumOf } from '../measure/database';
import { processorTime } from '../measure/processor';
import type { Stage } from '../stage';

const CREATE_PARALLEL = 8;
const CONNECTS = 20;
const DIGEST_MS_MAX = 45_000;
const KB = 1024;
/** In ms: several times what two busy cores took. Of a connection it is for all conversations, of the first sync for each. */
const CONNECTION_CPU_MS_MAX = { realtime: 300, messaging: 300, postgres: 300 };
const SYNC_CPU_MS_MAX = { history: 1.5, postgres: 1 };
const LIST_CPU_MS_MAX = { messaging: 100, postgres: 100 };

/** One user in thousands of conversations: direct ones and groups, each with a message. */
export async function conversations(stage: Stage): Promise<PartResult> {
  const { options, say, database } = stage;
  const many = options.conversations;
  // Somebody new, who is in nothing else.
  const [user] = await registerPeople(stage.instance('auth').url, 1);
  if (!user) throw new Error('Nobody was registered.');
  say(`Creating ${many} conversations of one user`);
  const created = await mapBounded(Array.from({ length: many }), CREATE_PARALLEL, async (_, index) => {
    const other = stage.person(index);
    const type = index % 2 === 0 ? 'direct' : 'group';
    const { conversation } = await createCircle(
      stage.instance('messaging').url,
      type,
      [user, other],
      stage.tokenOf,
    );
    return { conversation, other };
  });
  const talk = (): Promise<unknown> =>
    mapBounded(created, CREATE_PARALLEL, ({ conversation: { id }, other }, index) =>
      stage.ask(other, 'POST', 'messaging', `/v1/conversations/${id}/messages`, {
        clientMessageId: randomUUID(),
        body: `Message ${index} to somebody who is in many conversations.`,
      }),
    );
  await talk();

  const node = stage.instance('realtime');
  const crowds = stage.crowds(1);
  const seat = { ...user, urls: [node.url], follows: false };
  try {
    say('Connecting');
    await crowds.enter([seat], 1);
    await crowds.leave();
    const before = await readMemory(node);
    await crowds.reset();
    await database.reset();
    const connecting = new CpuMeter(pidsOf(stage.system));
    await crowds.enter(Array.from({ length: CONNECTS }, () => seat).slice(0, limits.socketsPerUserMax), 1);
    const connected = connecting.used();
    const statements = await database.statements();
    const joinCalls = await stage.joinStatements();
    const { openMs, readyBytesMax, readies } = await crowds.look();
    const after = await readMemory(node);
    say('Syncing and listing');
    await database.reset();
    const syncing = new CpuMeter(pidsOf(stage.system));
    const first = await syncAll(stage, user, null);
    const synced = syncing.used();
    const firstUsed = sumOf(await database.statements());
    await database.reset();
    const again = await syncAll(stage, user, first);
    const againUsed = sumOf(await database.statements());
    await database.reset();
    const listing = new CpuMeter(pidsOf(stage.system));
    const list = await listAll(stage, user);
    const listed = listing.used();
    const listUsed = await database.used('order by last_activity_at desc');

    say('Talking in all of them');
    await crowds.leave();
    await crowds.enter([seat], 1);
    await crowds.reset();
    await talk();
    await crowds.until(({ events }) => (events['position']?.count ?? 0) >= 2, DIGEST_MS_MAX);
    const { events } = await crowds.look();
    const position = events['position'] ?? { count: 0, bytes: 0 };
    const missed = many - (events['message:created']?.count ?? 0);
    return {
      part: 'conversations',
      notes: [],
      findings: [
        time('ready after, median', quantile(openMs, 0.5), 'ms', 1_000),
        hard('bytes of ready', readyBytesMax / KB, 'KB', 150),
        hard('statements a connection', joinCalls / readies, '', 2.1, 1),
        ...processorTime('a connection', connected, readies, CONNECTION_CPU_MS_MAX),
        hard('pages touched a connection', sumOf(statements).pages / readies, '', 20 * many + 3_000),
        hard(
          'memory a membership of a socket',
          (after.heapBytes - before.heapBytes) / readies / many,
          'B',
          250,
        ),
        exact(
          'conversations that the first sync leaves out',
          many - Object.values(first.versions).filter((version) => version > 0).length,
          '',
          0,
        ),
        time('first sync, all pages', first.ms, 'ms', 10_000),
        hard('calls of the first sync', first.calls, '', Math.ceil(many / 100) + 8),
        hard('bytes of the first sync', first.bytes / KB, 'KB', 4 * many),
        ...processorTime('a conversation of the first sync', synced, many, SYNC_CPU_MS_MAX),
        hard('pages touched by the first sync', firstUsed.pages, '', 60 * many, many),
        time('sync again, all pages', again.ms, 'ms', 2_000),
        hard('bytes of sync again', again.bytes / KB, 'KB', (many * 150) / KB + 5),
        hard('pages touched by sync again', againUsed.pages, '', 20 * many, many),
        exact('conversations that the list leaves out', many - list.found, '', 0),
        time('a page of 100 conversations', list.msEach, 'ms', 50),
        ...processorTime('a page of the list', listed, list.pages, LIST_CPU_MS_MAX),
        hard('pages touched a page of the list', listUsed.pages / list.pages, '', 5 * many + 2_000, 100),
        exact('messages that a socket in all of them missed', missed, '', 0),
        least('positions that came', position.count, '', 2),
        hard(
          'bytes of position, all changed',
          position.bytes / position.count / KB,
          'KB',
          (many * 50) / KB + 1,
        ),
      ],
    };
  } finally {
    crowds.end();
  }
}

interface Synced {
  ms: number;
  bytes: number;
  calls: number;
  epoch: string | null;
  cursor: string | null;
  versions: Record<string, number>;
}

/** Syncs the account and all conversations, as a client with an empty store, or with that of an earlier sync. */
async function syncAll(stage: Stage, user: Person, from: Synced | null): Promise<Synced> {
  const state: Synced = { epoch: null, cursor: null, versions: {}, ...from, ms: 0, bytes: 0, calls: 0 };
  const start = performance.now();
  const ask = async (versions: Record<string, number>): Promise<SyncResult> => {
    const payload: SyncPayload = { epoch: state.epoch, accountCursor: state.cursor, versions, limit: 500 };
    const result = await stage.ask<SyncResult>(user, 'POST', 'history', '/v1/sync', payload);
    state.calls += 1;
    state.bytes += JSON.stringify(result).length;
    state.epoch = result.epoch;
    state.cursor = result.account.cursor;
    for (const { conversationId } of result.account.changes) state.versions[conversationId] ??= 0;
    for (const { id, version } of result.conversations) state.versions[id] = version;
    return result;
  };
  let result = await ask({});
  while (result.account.more) result = await ask({});
  const ids = Object.keys(state.versions);
  for (let at = 0; at < ids.length; at += limits.syncConversationsMax) {
    let left = ids.slice(at, at + limits.syncConversationsMax);
    while (left.length > 0) {
      const page = await ask(Object.fromEntries(left.map((id) => [id, state.versions[id] ?? 0])));
      left = page.conversations.filter(({ more }) => more).map(({ id }) => id);
    }
  }
  state.ms = performance.now() - start;
  return state;
}

async function listAll(
  stage: Stage,
  user: Person,
): Promise<{ found: number; pages: number; msEach: number }> {
  const start = performance.now();
  let [found, pages] = [0, 0];
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const query = `limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const page: { items: MyConversation[]; nextCursor: string | null } = await stage.ask(
      user,
      'GET',
      'messaging',
      `/v1/conversations?${query}`,
    );
    found += page.items.length;
    cursor = page.nextCursor;
  }
  return { found, pages, msEach: (performance.now() - start) / pages };
}
