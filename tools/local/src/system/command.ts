import { parseArgs, type ParseArgsConfig } from 'node:util';
import { LocalError } from './local-error';

/** The values of a command's options, as `parseArgs` gives them. @throws LocalError with the usage. */
export function readOptions<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  usage: string,
) {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new LocalError((error as Error).message, usage);
  }
}

/** Resolves once somebody wants this process to end, by Ctrl-C or SIGTERM; then nothing ends it by itself. */
export function interruption(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(undefined));
  });
}

/** Runs a command to its end and ends the process, with 1 after an error, which is printed for whoever can mend it. */
export function runCommand(main: () => Promise<void>): void {
  main()
    .then(() => process.exit())
    .catch((error: unknown) => {
      if (error instanceof LocalError) process.stderr.write(`\n  ${error.message}\n  ${error.advice}\n\n`);
      else process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
      process.exit(1);
    });
}
