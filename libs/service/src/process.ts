import { getLogger } from './logging';
import { reloadFiles } from './watched-file';

/**
 * Ties the process's life to its service: SIGTERM and SIGINT drain it, within a bound; SIGHUP reads
 * keys, certificates and log levels again, which are watched anyway; an error that nobody handled ends
 * the process at once, since after it nothing is known to be right, and a supervisor starts a fresh one.
 */
export function ownProcess(close: () => Promise<void>, drainTimeoutMs: number): void {
  const log = getLogger('Process');
  const crash = (kind: string) => (error: unknown) => {
    log.fatal({ err: error }, `The process ends: ${kind}.`);
    process.exit(1);
  };
  process.on('unhandledRejection', crash('unhandled rejection'));
  process.on('uncaughtException', crash('uncaught exception'));

  const drain = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'A signal asks the service to end.');
    setTimeout(() => {
      log.error('Draining took too long; the process ends now.');
      process.exit(1);
    }, drainTimeoutMs).unref();
    close().then(
      () => process.exit(0),
      (error: unknown) => crash('draining failed')(error),
    );
  };
  process.on('SIGHUP', () => {
    log.info({}, 'A signal asks for the watched files to be read again.');
    reloadFiles();
  });
  process.once('SIGTERM', drain);
  process.once('SIGINT', drain);
}

/**
 * Lets SIGTERM and SIGINT end a process whose service has not started yet, at once: it may wait for its servers, and has nothing to
 * drain. Process 1 of a container hears no signal that it does not listen for; it would go on, start, serve, and be killed then.
 * Returns what ends that.
 */
export function endBySignals(): () => void {
  const end = (signal: NodeJS.Signals) => {
    getLogger('Process').info({ signal }, 'A signal ends the service before it has started.');
    process.exit(0);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  return () => {
    process.off('SIGTERM', end);
    process.off('SIGINT', end);
  };
}
