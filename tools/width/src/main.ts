import { join } from 'node:path';
import { startSystem, type System } from '@parley/tool-load';
import { runCommand, unlessInterrupted } from '@parley/tool-local';
import { isBroken, type PartResult, report } from './finding';
import { Database } from './measure/database';
import { INSPECTED } from './measure/memory';
import { parseOptions, type PartName, USAGE, type WidthOptions } from './options';
import { channel } from './part/channel';
import { conversations } from './part/conversations';
import { history } from './part/history';
import { idle } from './part/idle';
import { storm } from './part/storm';
import { Stage } from './stage';

const parts: Record<PartName, (stage: Stage) => Promise<PartResult>> = {
  idle,
  storm,
  channel,
  conversations,
  history,
};

function say(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

async function main(interrupted: AbortSignal): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const system = await startSystem({
    name: 'width',
    scale: { realtime: 2 },
    envOf: { realtime: INSPECTED, messaging: INSPECTED },
    isTemporary: !options.keep,
    signal: interrupted,
    say,
  });
  try {
    const results = await unlessInterrupted(interrupted, runAll(options, system));
    process.stdout.write(`\n${report(results)}\n`);
    if (results.some(({ findings }) => findings.some(isBroken))) process.exitCode = 1;
  } finally {
    say('Stopping');
    await system.stop();
  }
}

async function runAll(options: WidthOptions, system: System): Promise<PartResult[]> {
  const database = await Database.observe(system, join(system.dir, 'logs', 'postgres.log'));
  const stage = await Stage.set(system, options, database, say);
  const results: PartResult[] = [];
  for (const part of options.parts) {
    say(part);
    results.push(await parts[part](stage));
  }
  await database.end();
  return results;
}

runCommand(main);
