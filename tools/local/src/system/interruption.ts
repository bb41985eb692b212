import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Why a command ends before its work is done. */
export class Interruption extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.name = 'Interruption';
  }

  /** As shells give it. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/**
 * Aborted with an `Interruption` at the first Ctrl-C, SIGTERM or SIGHUP (a closed terminal). From this call on these end
 * the process no more, however often they come: one `timeout` reaches it by way of its process group, of npm and of the
 * launcher. Whoever calls it has to end in order, so it is called before anything is started.
 */
export function interruptions(): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => controller.abort(new Interruption(signal)));
  // A terminal that is closed takes its streams along, and a pipe its reader; what runs must still be stopped in order.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return controller.signal;
}

/** The result of `work`. @throws the reason of `interrupted` when that is aborted before. */
export async function unlessInterrupted<T>(interrupted: AbortSignal, work: Promise<T>): Promise<T> {
  let leave = (): void => undefined;
  const end = new Promise<never>((_resolve, reject) => {
    leave = () => reject(interrupted.reason as Error);
  });
  interrupted.addEventListener('abort', leave);
  if (interrupted.aborted) leave();
  try {
    return await Promise.race([work, end]);
  } finally {
    interrupted.removeEventListener('abort', leave);
  }
}
