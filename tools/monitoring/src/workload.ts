import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ParleyClient, ParleyError } from '@parley/client';
import type { System } from '@parley/tool-load';

/** Above what auth allows within a quarter of an hour. */
const MISTAKEN_PASSWORDS = 12;
const OUTAGE_MS = 4_000;
/** presence gives a node that fell silent this long before it takes its users for gone, and then some. */
const NODE_GRACE_MS = 40_000;

interface Someone {
  client: ParleyClient;
  username: string;
}

/**
 * Everything that some panel shows: talk between four people, one of whom comes and goes, every kind of request, wrong
 * passwords, PostgreSQL that hangs, Redis that dies, a realtime node that is killed. About a minute.
 */
export async function workload(system: System, say: (line: string) => void): Promise<void> {
  const { servers, apps, gateway } = system;
  const password = randomBytes(12).toString('base64url');
  say('Four people talk');
  const people = await Promise.all(
    ['alice', 'bob', 'carol', 'dave'].map((name) => signUp(gateway.url, name, password)),
  );
  const talk = await startTalk(people, gateway.url, password);
  try {
    await changes(gateway.url, people[1]!, password);
    await mistakes(gateway.url, people[0]!, password);
    say(`PostgreSQL hangs for ${OUTAGE_MS / 1000} s`);
    servers.postgres.freeze();
    const asked = people.flatMap(({ client }) => [
      ask(() => client.api.listConversations({ query: {} })),
      ask(() => client.api.updateMe({ body: { displayName: 'Nobody' } })),
    ]);
    await delay(OUTAGE_MS);
    servers.postgres.thaw();
    await Promise.all(asked);
    say('Redis dies and comes back');
    await servers.redis.kill();
    await delay(OUTAGE_MS);
    await servers.redis.start();
    await settled(people);
    const [, victim] = apps.of('realtime');
    say(`${victim!.name} is killed; its people are taken for gone after a while`);
    await victim!.kill();
    await delay(NODE_GRACE_MS);
    await victim!.start();
    await settled(people);
  } finally {
    await talk.stop();
    await Promise.all(people.map(({ client }) => client.close()));
  }
}

async function signUp(url: string, name: string, password: string): Promise<Someone> {
  const client = new ParleyClient({ url });
  const username = `${name}_${randomBytes(4).toString('hex')}`;
  await client.register({ email: `${username}@example.com`, username, password, displayName: name });
  await client.connect();
  await client.synced();
  return { client, username };
}

/** Ten messages a second in a group, with all that goes along; the last of them is offline every other second. */
async function startTalk(
  people: Someone[],
  gatewayUrl: string,
  password: string,
): Promise<{ stop(): Promise<void> }> {
  const [first, second, third, last] = people.map(({ client }) => client) as [
    ParleyClient,
    ParleyClient,
    ParleyClient,
    ParleyClient,
  ];
  const { id } = await first.create({
    type: 'group',
    title: 'Everybody',
    memberIds: [second, third, last].map(({ user }) => user!.id),
  });
  const unwatch = first.presence.watch([second, third, last].map(({ user }) => user!.id));
  let isOver = false;
  const rounds = async (): Promise<void> => {
    for (let round = 0; !isOver; round += 1) {
      const sender = round % 2 ? second : first;
      const mentions = round % 5 ? [] : [last.user!.id];
      sender.send({ conversationId: id, body: `round ${round}`, mentions }).stored.catch(() => undefined);
      third.typing.press(id);
      third.markRead(id);
      await ask(() => first.api.listMessages({ params: { conversationId: id }, query: { limit: 10 } }));
      await ask(() => third.api.listNotifications({ query: { limit: 10 } }));
      if (round % 20 === 17) await ask(() => visit(gatewayUrl, people[1]!.username, password));
      if (round % 20 === 7) await ask(() => third.api.updateMe({ body: { displayName: `round ${round}` } }));
      if (round % 10 === 0) last.disconnect();
      if (round % 10 === 5) void last.connect().catch(() => undefined);
      await delay(100);
    }
  };
  const running = rounds();
  return {
    async stop() {
      isOver = true;
      await running;
      unwatch();
    },
  };
}

/** Another program of the same person looks in and goes. */
async function visit(url: string, login: string, password: string): Promise<void> {
  const client = new ParleyClient({ url });
  await client.login({ login, password });
  await client.logout();
}

/** Somebody takes another name, and ends the session of a device that is connected. */
async function changes(url: string, { client, username }: Someone, password: string): Promise<void> {
  await client.api.updateMe({ body: { displayName: `${username} the Second` } });
  const device = new ParleyClient({ url });
  const ended = new Promise((resolve) => device.session.on('signedOut', resolve));
  await device.login({ login: username, password });
  await device.connect();
  const { items } = await client.api.listSessions();
  const other = items.find(({ current }) => !current)!;
  await client.api.revokeSession({ params: { sessionId: other.id } });
  await ended;
  await device.close();
}

/** What programs and people do wrong. */
async function mistakes(url: string, { client, username }: Someone, password: string): Promise<void> {
  const stranger = new ParleyClient({ url });
  for (let attempt = 0; attempt < MISTAKEN_PASSWORDS; attempt += 1)
    await ask(() => stranger.login({ login: username, password: `not ${password}` }));
  await ask(() => client.session.renew());
  await ask(() => client.api.getConversation({ params: { conversationId: client.user!.id } }));
  await stranger.close();
}

/** Refusals are what some panels are for. */
async function ask(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
  }
}

async function settled(people: Someone[]): Promise<void> {
  await Promise.all(people.map(({ client }) => client.synced()));
}
