import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { MemoryStorage, silentLogger } from '../environment';
import { Session } from '../session/session';
import { VirtualClock } from '../testing/virtual-clock';
import { Realtime, type RealtimeStatus } from './realtime';

const READY_TIMEOUT_MS = 15_000;
const user = {
  id: 'user',
  username: 'alice',
  displayName: 'Alice',
  email: 'alice@example.com',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const tokens = {
  tokenType: 'Bearer',
  accessToken: 'access',
  refreshToken: 'refresh',
  expiresIn: 3_600,
} as const;

/** Takes connections as a kernel does for a busy process, and never says a word. */
let silent: Server;

beforeAll(async () => {
  silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
});

afterAll(() => silent.close());

/** What is needed of the rest of a client. */
async function world(port: number) {
  const clock = new VirtualClock();
  const environment = { clock, storage: new MemoryStorage(), logger: silentLogger, random: () => 1 };
  const session = new Session(
    environment,
    () => Promise.resolve(tokens),
    (_, task) => task(),
  );
  await session.begin({ user, tokens });
  const realtime = new Realtime(environment, session, {
    url: `http://127.0.0.1:${port}`,
    credentials: 'header',
    ticket: () => Promise.resolve(''),
    readyTimeoutMs: READY_TIMEOUT_MS,
    ackTimeoutMs: 1_000,
  });
  return { clock, session, realtime };
}

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

it('stands in line longer each time that there was no `ready`, up to a minute', async () => {
  const { clock, session, realtime } = await world(portOf(silent));
  const seen: [state: RealtimeStatus['state'], atMs: number][] = [];
  realtime.on('status', ({ state }) => seen.push([state, clock.now()]));
  realtime.start();
  await clock.pass(240_000);
  realtime.stop();
  session.close();

  const waitsMs = seen.flatMap(([state, atMs], i) => {
    const before = seen[i - 1];
    return state === 'waiting' && before?.[0] === 'connecting' ? [atMs - before[1]] : [];
  });
  expect(waitsMs.slice(0, 4)).toEqual([15_000, 30_000, 60_000, 60_000]);
});

it('leaves no connection behind that was only coming', async () => {
  const { clock, session, realtime } = await world(portOf(silent));
  const arrived = once(silent, 'connection') as Promise<[Socket]>;
  realtime.start();
  await clock.pass(1);
  const [socket] = await arrived;
  const closed = once(socket, 'close');
  realtime.stop();
  session.close();
  await closed;
  expect(realtime.status).toEqual({ state: 'stopped', reason: undefined });
});
