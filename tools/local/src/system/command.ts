import { parseArgs, type ParseArgsConfig } from 'node:util';
import { Interruption, interruptions } from './interruption';
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

/**
 * Runs a command to its end and ends the process, with 1 after an error, which is printed for whoever can mend it. `main`
 * gets what is aborted when the command is to end before; it stops what it has started and throws the reason.
 */
export function runCommand(main: (interrupted: AbortSignal) => Promise<void>): void {
  main(interruptions())
    .then(() => process.exit())
    .catch((error: unknown) => {
      if (error instanceof Interruption) {
        process.stderr.write(`  ${error.message}\n`);
        process.exit(error.exitCode);
      }
      if (error instanceof LocalError) process.stderr.write(`\n  ${error.message}\n  ${error.advice}\n\n`);
      else process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
      process.exit(1);
    });
}
