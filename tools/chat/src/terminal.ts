import { createInterface, type Interface } from 'node:readline';
import type { Asker } from './sign-in';

/** The person's terminal, or a pipe: lines in, lines out above the prompt. */
export class Terminal implements Asker {
  private readonly lines: Interface;
  /** From the beginning on: what a pipe brings before anybody reads is not lost. */
  private readonly incoming: AsyncIterable<string>;
  private isMuted = false;
  private isAsking = false;

  constructor(private readonly isInteractive = process.stdin.isTTY && process.stdout.isTTY) {
    this.lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: this.isInteractive,
    });
    const iterator = this.lines[Symbol.asyncIterator]();
    this.incoming = { [Symbol.asyncIterator]: () => iterator };
    this.lines.setPrompt('> ');
    this.lines.on('SIGINT', () => this.lines.close());
    // What is typed as a secret is not shown: readline writes it by this one method.
    const shown = this.lines as unknown as { _writeToOutput?: (text: string) => void };
    const write = shown._writeToOutput?.bind(this.lines);
    if (write) shown._writeToOutput = (text) => write(this.isMuted ? '' : text);
  }

  /** Calls back at every key of a line that is to be sent: not of answers and commands. */
  onKey(listener: () => void): void {
    process.stdin.on('keypress', (_, key?: { name?: string; ctrl?: boolean }) => {
      const isText = !this.isAsking && this.lines.line !== '' && !this.lines.line.startsWith('/');
      if (isText && !key?.ctrl && key?.name !== 'return') listener();
    });
  }

  async ask(question: string, { secret } = { secret: false }): Promise<string | undefined> {
    if (!this.isInteractive) return undefined;
    this.isAsking = true;
    const answer = new Promise<string>((resolve) => this.lines.question(question, resolve));
    this.isMuted = secret;
    const text = await answer;
    this.isMuted = this.isAsking = false;
    if (secret) process.stdout.write('\n');
    return text;
  }

  /** Above the line that is being written, which stays. */
  readonly print = (line: string): void => {
    if (this.isInteractive) process.stdout.write('\r\x1b[K');
    process.stdout.write(`${line}\n`);
    if (this.isInteractive) this.lines.prompt(true);
  };

  /** Calls back for each line until there are no more, or it says that it is enough. */
  async read(take: (line: string) => Promise<'more' | 'enough'>): Promise<void> {
    if (this.isInteractive) this.lines.prompt();
    for await (const line of this.incoming) {
      if ((await take(line)) === 'enough') return;
      if (this.isInteractive) this.lines.prompt();
    }
  }

  close(): void {
    this.lines.close();
  }
}
