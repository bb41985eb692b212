import { createRequire } from 'node:module';
import type { EventEmitter } from 'node:events';

/** What we know of the driver's connection: it is none of its public classes. */
interface DriverConnection extends EventEmitter {
  /** Set before `close` is emitted. */
  error: Error | null;
  writeCommand(this: DriverConnection, ...args: unknown[]): Promise<void>;
}

const ended = Symbol('a write ends with its connection');

/**
 * Lets a command whose connection closes while it is being written fail, as one does whose answer is awaited. The driver
 * (7.8) waits there for the socket's `drain` or `error`, and a socket that is closed for silence, or that closed a
 * moment before the write, tells neither: a write to a frozen server never ended, and kept its connection for ever.
 * There is no public way to the connection, and none to bound a write: `timeoutMS` has no effect any more.
 *
 * @throws Error when the driver has no such method: then this is to be looked at again.
 */
export function endWritesWithTheirConnection(): void {
  const ofMongoose = createRequire(require.resolve('mongoose'));
  const { Connection } = ofMongoose('mongodb/lib/cmap/connection') as {
    Connection?: { prototype: DriverConnection & { [ended]?: true } };
  };
  const prototype = Connection?.prototype;
  const write = prototype?.writeCommand;
  if (!prototype || !write)
    throw new Error('The MongoDB driver changed: see libs/service/src/mongo/writes.ts.');
  if (prototype[ended]) return;
  prototype[ended] = true;
  prototype.writeCommand = async function writeCommand(...args) {
    let onClose!: () => void;
    const closed = new Promise<never>((_, reject) => {
      onClose = () => reject(this.error ?? new Error('The connection closed.'));
      this.once('close', onClose);
    });
    try {
      await Promise.race([write.apply(this, args), closed]);
    } finally {
      this.off('close', onClose);
    }
  };
}
