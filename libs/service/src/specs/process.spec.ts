import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const workspace = resolve(__dirname, '../../../..');

interface Started {
  child: ChildProcess;
  url: string;
  /** Resolves once the output holds the text. */
  printed(text: string): Promise<void>;
  output(): string;
  /** Exit code or signal. */
  ended: Promise<number | NodeJS.Signals | null>;
}

/** The fixture as a process of its own; resolves once it listens, waits for ever or has ended. */
async function start(environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@parley/source',
      '-r',
      join(workspace, 'libs/testing/jest/register.js'),
      require.resolve('./main.fixture.ts'),
    ],
    { env: { PATH: process.env.PATH, PORT: '0', ...environment } },
  );
  let output = '';
  const readers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      for (const read of readers) read();
    });
  }
  const ended = new Promise<number | NodeJS.Signals | null>((settle) =>
    child.once('close', (code, signal) => settle(code ?? signal)),
  );
  const printed = (text: string) =>
    new Promise<void>((settle) => {
      const read = () => {
        if (!output.includes(text)) return;
        readers.delete(read);
        settle();
      };
      readers.add(read);
      read();
    });
  await Promise.race([printed('The service listens.'), printed('waits'), ended]);
  const port = /"port":(\d+)/.exec(output)?.[1];
  return { child, url: `http://127.0.0.1:${port}`, printed, output: () => output, ended };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'on %s it finishes what is under way and ends well',
  async (signal) => {
    const { child, url, printed, ended, output } = await start();
    const slow = fetch(`${url}/slow`);
    await printed('under way');
    child.kill(signal);
    const response = await slow;
    expect(await response.text()).toBe('done');
    expect(await ended).toBe(0);
    for (const line of output().trim().split('\n')) {
      if (line !== 'under way') expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  },
);

test('what does not finish is cut off, and the rest still ends well', async () => {
  const { child, url, printed, ended } = await start({ DRAIN_TIMEOUT_MS: '2000' });
  const stuck = expect(fetch(`${url}/stuck`)).rejects.toThrow();
  await printed('under way');
  child.kill('SIGTERM');
  await stuck;
  expect(await ended).toBe(0);
});

test('a signal ends it while it still waits for its servers', async () => {
  const { child, ended, output } = await start({ STARTS: 'never' });
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(output()).toContain('before it has started');
});

test('an error that nobody handles ends the process', async () => {
  const { url, ended, output } = await start();
  await fetch(`${url}/reject`).catch(() => undefined);
  expect(await ended).toBe(1);
  expect(output()).toContain('unhandled rejection');
});

test('a wrong setting ends the start and is named', async () => {
  const { ended, output } = await start({ PORT: 'http' });
  expect(await ended).toBe(1);
  expect(output()).toContain('PORT: must be a whole number');
});

describe('the levels of the log', () => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-levels-'));
  const file = join(directory, 'level');
  afterAll(() => rmSync(directory, { recursive: true }));

  test('follow their file; a bad one is named and changes nothing; SIGHUP reads it at once', async () => {
    writeFileSync(file, 'info\n');
    const { child, url, printed, output, ended } = await start({ LOG_LEVEL_FILE: file });
    writeFileSync(file, 'loud\n');
    await printed('LOG_LEVEL_FILE is bad; the levels stay.');
    expect(output()).toContain('must be one of trace');

    writeFileSync(file, 'info,Http=silent\n');
    child.kill('SIGHUP');
    await printed('"levels":"info,Http=silent"');
    await fetch(`${url}/nothing`);
    writeFileSync(file, 'info\n');
    await printed('"levels":"info"');
    await fetch(`${url}/something`, {
      headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` },
    });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    const requests = output()
      .split('\n')
      .filter((line) => line.includes('"msg":"request"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ context: 'Http', trace_id: 'a'.repeat(32) });
    expect(requests[0]?.['span_id']).toMatch(/^[0-9a-f]{16}$/);
  });

  test('are those of LOG_LEVEL before there is a file, and again when it is gone', async () => {
    const late = join(directory, 'late');
    const { child, printed, ended } = await start({ LOG_LEVEL: 'info,Http=warn', LOG_LEVEL_FILE: late });
    writeFileSync(late, 'info\n');
    child.kill('SIGHUP');
    await printed('"levels":"info"');
    rmSync(late);
    child.kill('SIGHUP');
    await printed('"levels":"info,Http=warn"');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('are wrong at the start: the service says so and does not start', async () => {
    writeFileSync(file, 'loud\n');
    const { ended, output } = await start({ LOG_LEVEL_FILE: file });
    expect(await ended).toBe(1);
    expect(output()).toContain('LOG_LEVEL: must be one of');
  });
});
