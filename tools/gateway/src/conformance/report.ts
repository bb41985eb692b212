import { contractChecks } from './contract-checks';
import { points } from './points';
import type { SuiteState, World } from './world';

export interface Case {
  title: string;
  needsReload: boolean;
  needsTrust: boolean;
  run(world: World): Promise<void>;
}

/** The checks of one part, one after another in this order: they share the gateway. */
export function casesOf(part: SuiteState['part']): Case[] {
  if (part === 'points')
    return points.map(({ number, title, needsReload = false, needsTrust = false, run }) => ({
      title: `${number} ${title}`,
      needsReload,
      needsTrust,
      run,
    }));
  return contractChecks.map(({ title, run }) => ({ title, needsReload: false, needsTrust: false, run }));
}

/** Runs a part and prints a line for each check. Returns how many failed. */
export async function runPart(
  part: SuiteState['part'],
  world: World,
  print: (line: string) => void,
): Promise<number> {
  let failed = 0;
  for (const { title, needsReload, needsTrust, run } of casesOf(part)) {
    if (needsReload && !world.reload) {
      print(`skip  ${title} (needs --config and --reload-command)`);
      continue;
    }
    if (needsTrust && !world.trustingUrl) {
      print(`skip  ${title} (needs --trusting-url)`);
      continue;
    }
    try {
      await run(world);
      print(`ok    ${title}`);
    } catch (error) {
      failed += 1;
      print(`FAIL  ${title}\n      ${(error as Error).message.replaceAll('\n', '\n      ')}`);
    }
  }
  return failed;
}
