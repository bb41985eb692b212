import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
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

it('stands in line longer each time that there was no `ready`, up to a minute', async () => {
  const clock = new VirtualClock();
  const environment = { clock, storage: new MemoryStorage(), logger: silentLogger, random: () => 1 };
  const session = new Session(
    environment,
    () => Promise.resolve(tokens),
    (_, task) => task(),
  );
  await session.begin({ user, tokens });
  const realtime = new Realtime(environment, session, {
    url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    credentials: 'header',
    ticket: () => Promise.resolve(''),
    readyTimeoutMs: READY_TIMEOUT_MS,
    ackTimeoutMs: 1_000,
  });
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
