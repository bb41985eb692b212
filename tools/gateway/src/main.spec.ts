import { freshRedis } from '@parley/testing';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { echoOf, eventually, expectAlive, expectOpen, expectProblem, send } from './conformance/client';
import { makeToken, type SuiteKey } from './conformance/keys';
import { configOf, makeState } from './conformance/stand-in';
import { bearer, startWorld, type SuiteState, type World } from './conformance/world';
import { exchangeRaw, openRaw, readAll } from './testing/raw';

const register = resolve(__dirname, '../../../libs/testing/jest/register.js');
const running: ChildProcess[] = [];
let dir: string;
let file: string;
let state: SuiteState;

const tokenOf = (key: SuiteKey) => makeToken(key, 'someone');

interface Started {
  child: ChildProcess;
  output(): string;
  /** Resolves with the output when it contains the text, rejects when the process ends without. */
  said(text: string): Promise<string>;
}

function start(...args: string[]): Started {
  const options = ['--conditions=@parley/source', '-r', register, join(__dirname, 'main.ts'), ...args];
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const said = (text: string) => eventually(async () => expect(output).toContain(text)).then(() => output);
  return { child, output: () => output, said };
}

async function startServing(): Promise<Started & { world: World; statusUrl: string }> {
  const started = start('--config', file, '--port', '0', '--status-port', '0');
  const line = (await started.said('gateway listens'))
    .split('\n')
    .find((text) => text.includes('gateway listens'))!;
  const { url, statusPort } = JSON.parse(line) as { url: string; statusPort: number };
  return {
    ...started,
    world: await startWorld(url, state, '127.0.0.1'),
    statusUrl: `http://127.0.0.1:${statusPort}`,
  };
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gateway-'));
  file = join(dir, 'kong.yml');
  state = await makeState('points', await freshRedis());
  await writeFile(file, configOf(state));
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await rm(dir, { recursive: true });
});

describe('the command', () => {
  it.each([
    ['no file', () => [], '--config is missing'],
    ['a file that is not there', () => ['--config', '/nonexistent.yml'], '/nonexistent.yml cannot be used'],
    ['a port that is none', () => ['--config', file, '--port', 'x'], 'x is no port'],
    ['an unknown option', () => ['--nonsense'], "Unknown option '--nonsense'"],
  ])('says what is wrong with %s and ends', async (_, args, message) => {
    const { child, output } = start(...args());
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(1);
    expect(output()).toContain(message);
    expect(output()).not.toContain('    at ');
  });

  it('says when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { child, output } = start(
      '--config',
      file,
      '--port',
      String((other.address() as AddressInfo).port),
    );
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(output()).toContain('another program uses this port');
    other.close();
  });

  it('takes a changed file by itself and by signal, keeps the old one for a bad file, and keeps sockets open', async () => {
    const { world, child, said } = await startServing();
    try {
      const opened = expectOpen(await world.open('/open'));
      const [, second] = state.keys;
      const asSecond = () => world.send('/private', { headers: bearer(tokenOf(second!)) });
      echoOf(await asSecond());

      await writeFile(`${file}.new`, configOf(state, [state.keys[0]!.kid]));
      await rename(`${file}.new`, file);
      await eventually(async () => expectProblem(await asSecond(), 401));

      await writeFile(file, 'nonsense: true\n');
      await said('nonsense: the stand-in does not know this field');
      echoOf(await world.send('/private', { headers: bearer(world.token()) }));
      child.kill('SIGHUP');
      await writeFile(file, configOf(state));
      child.kill('SIGHUP');
      await eventually(async () => void echoOf(await asSecond()));
      await expectAlive(opened, 'still open');
      opened.socket.terminate();
    } finally {
      await world.close();
    }
  });

  it('shows its state and its numbers apart from the public address', async () => {
    const { world, statusUrl } = await startServing();
    try {
      expect((await send(statusUrl, '/status/ready')).status).toBe(200);
      expect((await send(statusUrl, '/nowhere')).status).toBe(404);
      echoOf(await world.send('/open'));
      await world.send('/private');
      const { text } = await send(statusUrl, '/metrics');
      expect(text).toContain(
        'kong_http_requests_total{service="open",route="open",code="200",source="service"} 1',
      );
      expect(text).toContain(
        'kong_http_requests_total{service="private",route="private",code="401",source="exit"} 1',
      );
      expect(text).toMatch(
        /kong_upstream_target_health\{upstream="partly\.upstream",target="[^"]+",state="healthy"\} [01]/,
      );
      expect((await world.send('/metrics')).status).toBe(404);
    } finally {
      await world.close();
    }
  });

  it('lets a running request end, closes sockets and takes nothing new when it is told to stop', async () => {
    const { world, child, said } = await startServing();
    try {
      const opened = expectOpen(await world.open('/open'));
      const closed = once(opened.socket, 'close');
      const running = openRaw(world.url);
      const answer = readAll(running);
      running.write('POST /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\nfi');
      // On another connection that is served after the first was read.
      await exchangeRaw(world.url, 'GET /open HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
      child.kill('SIGTERM');
      await said('gateway drains');
      await closed;
      running.write('ne');
      expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*"body":"fine"/);
      expect(await once(child, 'exit')).toEqual([0, null]);
      await expect(world.send('/open')).rejects.toThrow('ECONNREFUSED');
    } finally {
      await world.close();
    }
  });
});
