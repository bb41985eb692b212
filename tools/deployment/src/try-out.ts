import { LocalError } from '@parley/tool-local';
import { table, whole } from '@parley/tool-load';
import type { Act, Deployment } from './deployment';
import { type Stretch, Talk } from './talk/talk';

const HEADINGS = ['while', 'messages', 'refused', 'longest ms'];

/**
 * Brings a deployment up, looks at it, and lets people talk through it while everything is done to it that `acts` says.
 * Prints a table and returns the findings, none when all is well.
 */
export async function tryOut(
  deployment: Deployment,
  { only, paceMs }: { only: string[] | undefined; paceMs: number },
  say: (line: string) => void,
): Promise<string[]> {
  say('Starting');
  const url = await deployment.start();
  say(`It runs, at ${url}`);
  const findings = await deployment.inspect();
  const acts = chosen(await deployment.acts(), only);
  const talk = await Talk.start(url, paceMs);
  const rows: string[][] = [];
  try {
    for (const act of [quiet, ...acts]) {
      say(act.name);
      const stretch = await talk.during(() => act.run());
      rows.push([act.name, whole(stretch.messages), whole(stretch.refused.length), whole(stretch.longestMs)]);
      const refused = refusals(act, stretch);
      for (const line of refused) say(`  ${line}`);
      if (act.isOrderly) findings.push(...refused);
    }
    findings.push(...(await talk.end()));
    say('Reviewing what was seen of it');
    findings.push(...(await deployment.review()));
  } catch (error) {
    for (const finding of findings) process.stdout.write(`${finding}\n`);
    throw error;
  } finally {
    if (rows.length > 0) process.stdout.write(`\n${table(HEADINGS, rows)}\n\n`);
    await talk.close();
  }
  return findings;
}

/** What the others are compared with. */
const quiet: Act = { name: 'nothing', isOrderly: true, run: async () => undefined };

function chosen(acts: Act[], only: string[] | undefined): Act[] {
  const names = acts.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new LocalError(`Nothing is called ${unknown}.`, names.join(', '));
  return acts.filter(({ name }) => only?.includes(name) ?? true);
}

function refusals({ name }: Act, { refused }: Stretch): string[] {
  const counts = new Map<string, number>();
  for (const what of refused) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].map(([what, count]) => `${name}: refused ${count} times with ${what}`);
}
