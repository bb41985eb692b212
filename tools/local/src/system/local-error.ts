/**
 * A failure that the person at the terminal can do something about. `message` says what happened, `advice` what to
 * do next; the command line prints both and no stack.
 */
export class LocalError extends Error {
  constructor(
    message: string,
    readonly advice: string,
  ) {
    super(message);
    this.name = 'LocalError';
  }
}
