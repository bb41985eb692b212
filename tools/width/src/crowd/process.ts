import { Crowd, type CrowdCall } from './crowd';

/** The process of one crowd: does what its parent asks, and ends with it. */
const crowd = new Crowd(process.argv[2] ?? '');

process.on('message', ({ id, name, args }: CrowdCall) => {
  const method = crowd[name] as (...all: unknown[]) => Promise<unknown>;
  method.apply(crowd, args).then(
    (value) => process.send?.({ id, value }),
    (error: Error) => process.send?.({ id, error: error.stack ?? error.message }),
  );
});
process.on('disconnect', () => process.exit());
// Ctrl-C is the parent's to handle.
process.on('SIGINT', () => undefined);
