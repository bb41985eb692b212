import type { Message } from '@parley/contracts';
import type { Names } from './names';
import { printable } from './printable';

/**
 * Lines for people, printed in the order of their causes although names are asked for in between. What others wrote, or a
 * server says, does nothing to the terminal: everything leaves by `later`.
 */
export class Printer {
  private printing = Promise.resolve();

  constructor(
    private readonly print: (line: string) => void,
    private readonly names: Names,
  ) {}

  /** What the program says of itself. */
  note(text: string): void {
    this.later(Promise.resolve(`-- ${text}`));
  }

  plain(text: string): void {
    this.later(Promise.resolve(text));
  }

  /** `text` with the name of somebody. */
  about(userId: string | null, text: (name: string) => string): void {
    this.later(this.names.of(userId).then(text));
  }

  message(message: Message): void {
    const { number, body, deletedAt, editedAt, attachments, reactions, senderId } = message;
    const time = message.createdAt.slice(11, 16);
    const said = deletedAt === undefined ? (body ?? '') : '(deleted)';
    const files = attachments.map(({ name }) => ` [${name}]`).join('');
    const marks = reactions.map(({ emoji, count }) => ` ${emoji}${count > 1 ? count : ''}`).join('');
    const edited = editedAt === undefined ? '' : ' (edited)';
    this.about(senderId, (name) => `${time} #${number} ${name}: ${said}${files}${edited}${marks}`);
  }

  /** Resolves once everything so far is printed. */
  flushed(): Promise<void> {
    return this.printing;
  }

  private later(line: Promise<string>): void {
    this.printing = this.printing.then(async () => this.print(printable(await line)));
  }
}
