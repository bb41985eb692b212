import { findMongo, runCommand } from '@parley/tool-local';
import { type Act, type Direction, playAct } from './act';
import { buildOf } from './fault/former-build';
import { type Plant, plantedKind } from './fault/plant';
import { parseOptions, strengthOf, USAGE } from './options';
import { isGood, type Outcome, report } from './report/report';

function say(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

async function main(interrupted: AbortSignal): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const formerWorkspace =
    options.from === undefined ? undefined : await buildOf(options.from, say, interrupted);
  if (options.from !== undefined && formerWorkspace === undefined) {
    // Who asked for it has not been shown anything.
    say(`FAILED: nothing was tried, for there is no ${options.from} to run beside this build.`);
    process.exitCode = 1;
    return;
  }
  say(`Seed ${options.seed}`);
  const strength = strengthOf(options, options.store === 'mongodb' && standsInForMongo());
  const acts = await playAll({
    options: { ...options, ...strength },
    ...(formerWorkspace !== undefined && { formerWorkspace }),
    interrupted,
    say,
  });
  const outcomes = acts.flatMap((act) => act.outcomes);
  const skipped = acts.flatMap((act) => act.skipped);
  process.stdout.write(`\n${[acts[0]?.conditions, report(outcomes), ...skipped].join('\n')}\n`);
  const isAllGood = outcomes.length > 0 && outcomes.every(isGood);
  process.exitCode = (options.plant ? wasFound(options.plant, outcomes) : isAllGood) ? 0 : 1;
}

/** One deployment after the other, until all faults have struck: anew after so many rounds, and after a broken one. */
async function playAll(direction: Direction): Promise<Act[]> {
  const { faults, rounds } = direction.options;
  const acts: Act[] = [];
  for (let next = 0; next < faults.length; next += acts.at(-1)!.played)
    acts.push(await playAct(faults.slice(next, next + rounds), direction));
  return acts;
}

/** Whether FerretDB is what this machine has in MongoDB's place. */
function standsInForMongo(): boolean {
  const how = findMongo(process.env)?.how;
  return how === 'ferretdb' || how === 'build';
}

function wasFound(plant: Plant, outcomes: Outcome[]): boolean {
  const kind = plantedKind[plant];
  const isFound = outcomes.some(({ violations }) => violations.some((one) => one.kind === kind));
  say(isFound ? `The planted bug was found: ${kind}` : `The planted bug was NOT found as ${kind}`);
  return isFound;
}

runCommand(main);
