import { ParleyError } from '@parley/contracts';
import type { Broker } from './broker';
import { bodiesOf, isMessage } from './size';
import type { ReplyEntry } from './wire';
import { replyStatus } from './wire';

/** Collects what one tick answers to one asker into one envelope, or into several where it is too much for one. */
export class ReplySender {
  private readonly byAsker = new Map<string, ReplyEntry[]>();
  private scheduled = false;

  constructor(private readonly broker: Broker) {}

  add(replyTo: string, reply: ReplyEntry): void {
    const replies = this.byAsker.get(replyTo);
    if (replies) replies.push(reply);
    else this.byAsker.set(replyTo, [reply]);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.scheduled = false;
    for (const [replyTo, replies] of this.byAsker) {
      const texts = replies.map((reply) => this.textOf(reply));
      for (const body of bodiesOf('replies', texts)) this.broker.publish('', replyTo, body);
    }
    this.byAsker.clear();
  }

  /** An answer that nothing can carry is an error of ours, and told as one: its asker would wait in vain. */
  private textOf(reply: ReplyEntry): string {
    const text = JSON.stringify(reply);
    if (isMessage(text)) return text;
    const { logger, onTooLarge } = this.broker.options;
    logger.error({ characters: text.length }, 'broker: an answer is too large');
    onTooLarge?.();
    const error = new ParleyError('internal', 'The answer is too large.').toBody();
    return JSON.stringify([reply[0], replyStatus.error, error]);
  }
}
