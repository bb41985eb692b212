import { envelopes } from '@parley/contracts';
import type { Broker } from './broker';
import type { ReplyEntry } from './wire';

/** Collects what one tick answers to one asker into one envelope. */
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
      this.broker.publish('', replyTo, JSON.stringify({ v: envelopes.replies.written, replies }));
    }
    this.byAsker.clear();
  }
}
