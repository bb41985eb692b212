import { runCommand, unlessInterrupted } from '@parley/tool-local';
import { Compose, requireEngine } from './compose/compose';
import type { Deployment } from './deployment';
import { Kubernetes } from './kubernetes/kubernetes';
import { type Arguments, readArguments } from './options';
import { tryOut } from './try-out';

const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

async function main(interrupted: AbortSignal): Promise<void> {
  const given = readArguments(process.argv.slice(2));
  const deployment = await deploymentOf(given, interrupted);
  const findings: string[] = [];
  try {
    findings.push(...(await unlessInterrupted(interrupted, tryOut(deployment, given, say))));
  } catch (error) {
    // What cannot be shown must not stand in the way of the reason.
    const logs = (): Promise<string> => deployment.logs().catch((failure: Error) => failure.message);
    if (!interrupted.aborted) process.stderr.write(`${await logs()}\n`);
    throw error;
  } finally {
    if (given.keeps) say('It is left running.');
    else findings.push(...(await deployment.stop()));
  }
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  say(findings.length > 0 ? `${findings.length} findings` : 'All is well.');
  if (findings.length > 0) process.exitCode = 1;
}

async function deploymentOf(given: Arguments, signal: AbortSignal): Promise<Deployment> {
  const { engine, files, builds, monitoring, project, tls, balanced, overlay, context, url } = given;
  if (engine === 'kubernetes') return new Kubernetes({ overlay, context, url, signal });
  await requireEngine(signal);
  return new Compose({ project, files, builds, monitoring, tls, balanced, signal });
}

runCommand(main);
