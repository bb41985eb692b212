import 'reflect-metadata';
import { configureLogging } from '@parley/service';
import { parkedEvents } from './parked/parked.command';

// Stdout belongs to the answer.
configureLogging({ service: 'notification', instance: 'operator', levels: 'silent' });

/** `node dist/parked-events.js list | replay | discard`: what the feed could not apply, for operators. See `usage`. */
void parkedEvents(process.argv.slice(2), process.env, {
  say: (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
}).then((code) => (process.exitCode = code));
