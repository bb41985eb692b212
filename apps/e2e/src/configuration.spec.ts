import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const WORKSPACE = resolve(__dirname, '../../..');
const SECRET = 'hunter2';

const directory = mkdtempSync(join(tmpdir(), 'parley-configuration-'));
const secretFile = join(directory, 'secret');
beforeAll(() => writeFileSync(secretFile, `mysql://someone:${SECRET}@nowhere/db\n`));
afterAll(() => rmSync(directory, { recursive: true }));

/** Starts an app with this environment alone; resolves with how it ended and all that it said. */
function start(app: string, env: Record<string, string>): Promise<{ code: unknown; output: string }> {
  return new Promise((settle) => {
    const program = join(WORKSPACE, 'apps', app, 'dist/main.js');
    execFile(
      process.execPath,
      [program],
      { env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => settle({ code: error?.code ?? 0, output: `${stdout}${stderr}` }),
    );
  });
}

test.each([
  ['auth', ['DATABASE_URL', 'REDIS_URL'], ['JWT_PRIVATE_KEYS_FILE']],
  ['messaging', ['DATABASE_URL'], []],
  ['history', ['DATABASE_URL'], []],
  ['presence', ['REDIS_URL'], []],
  ['notification', ['DATABASE_URL'], []],
  ['realtime', ['REDIS_URL'], []],
])('%s does not start with wrong settings, names each, and no secret', async (app, urls, keys) => {
  const ofFiles = urls.map((name) => [`${name}_FILE`, secretFile]);
  const { code, output } = await start(app, {
    ...(Object.fromEntries(ofFiles) as Record<string, string>),
    AMQP_URL: `amqp://someone:${SECRET}@nowhere`,
    AMQP_URL_FILE: secretFile,
    OTEL_EXPORTER_OTLP_HEADERS_FILE: join(directory, 'none'),
    LOG_LEVEL: 'loud',
  });
  expect(code).toBe(1);
  for (const name of urls) expect(output).toContain(`\n  ${name}: must be`);
  for (const name of ['JWT_PUBLIC_KEYS_FILE', ...keys]) expect(output).toContain(`\n  ${name}: is required`);
  expect(output).toContain('\n  AMQP_URL: is given twice, by itself and by AMQP_URL_FILE');
  expect(output).toMatch(/\n {2}OTEL_EXPORTER_OTLP_HEADERS_FILE: \S+none cannot be read \(ENOENT\)/);
  expect(output).toContain('\n  LOG_LEVEL: must be one of');
  expect(output).not.toContain(SECRET);
});
