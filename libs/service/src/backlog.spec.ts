import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { baseConfig, loadConfig, runService } from '.';

@Module({})
class AppModule {}

const CONNECTIONS = 1_000;

/** Opens so many connections and says how many were made within 10 s. Ends as soon as all are. */
const CLIENT = `
  const [port, count] = process.argv.slice(1).map(Number);
  let made = 0;
  const end = () => { process.stdout.write(String(made)); process.exit(); };
  setTimeout(end, 10_000);
  for (let i = 0; i < count; i += 1)
    require('node:net').connect(port, '127.0.0.1').on('connect', () => (made += 1) === count && end());
`;

/** What the kernel lets a process ask for; undefined on systems that say it elsewhere. */
function somaxconn(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return undefined;
  }
}

const isEnough = (somaxconn() ?? 0) >= CONNECTIONS;
const name = isEnough
  ? 'is connected to by thousands while it is busy'
  : `SKIPPED, because net.core.somaxconn is below ${CONNECTIONS}: is connected to by thousands while it is busy`;

(isEnough ? test : test.skip)(name, async () => {
  const environment = { HOST: '127.0.0.1', PORT: '0', INSTANCE_ID: 'test-1', LOG_LEVEL: 'silent' };
  const config = loadConfig(baseConfig, environment);
  const service = await runService({ name: 'test', module: AppModule, config, ownsProcess: false });
  try {
    // This process, and so the service in it, does nothing meanwhile.
    const made = execFileSync(process.execPath, ['-e', CLIENT, String(service.port), String(CONNECTIONS)]);
    expect(Number(made.toString())).toBe(CONNECTIONS);
  } finally {
    await service.close();
  }
});
