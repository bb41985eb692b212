import { Moved } from '@parley/broker';
import type { CommandData, CommandName, Message } from '@parley/contracts';
import { ParleyError, partitionOf } from '@parley/contracts';
import type { Authority } from './authority';
import type { Chance, VirtualTime } from './virtual-time';

export interface Acked {
  name: CommandName;
  data: CommandData<CommandName>;
  reply: { message?: Message };
}

/** A message that was refused for good. */
export interface Refused {
  data: CommandData<'message.send'>;
  /** When its sender heard so. */
  at: number;
}

interface Operation {
  name: CommandName;
  data: CommandData<CommandName>;
}

/** How many messages are sent in a row, none waiting for the answer to the one before. */
const IN_A_ROW = 3;

/** Bodies that leave a command as JSON does. */
const SEND = { format: 'plain' as const, mentions: [], attachments: [] };

/** Somebody who writes through a lossy network, and repeats what got no final answer, as every client does. */
export class Sender {
  readonly acked: Acked[] = [];
  readonly refused: Refused[] = [];
  /** Of each row of messages those that were accepted at first sending, in the order of sending. */
  readonly rows: Message[][] = [];
  isDone = false;
  private count = 0;

  constructor(
    readonly userId: string,
    private readonly conversations: string[],
    private readonly others: string[],
    private readonly authority: Authority,
    private readonly time: VirtualTime,
    private readonly chance: Chance,
    private readonly loss: () => number,
  ) {}

  async write(operations: number): Promise<void> {
    for (let i = 0; i < operations; i++) {
      await this.time.sleep(this.chance.below(80));
      if (this.chance.is(0.9)) await this.persist(this.choose());
      else await this.persistInARow();
    }
    this.isDone = true;
  }

  /** Repeats one operation until its answer is final. */
  private async persist({ name, data }: Operation): Promise<void> {
    for (;;) {
      const outcome = await this.attempt(name, data);
      if (outcome !== undefined) return this.note({ name, data }, outcome);
      await this.time.sleep(20 + this.chance.below(200));
    }
  }

  /** Several messages to one conversation, in order over one line; then what was not answered for good, one by one. */
  private async persistInARow(): Promise<void> {
    const conversationId = this.chance.pick(this.conversations);
    const operations = Array.from({ length: IN_A_ROW }, () => this.message(conversationId));
    const outcomes = await this.attemptInARow(operations, partitionOf(conversationId));
    const first = outcomes.filter((outcome) => outcome !== undefined && 'message' in outcome);
    this.rows.push(first.map((reply) => (reply as { message: Message }).message));
    for (const [i, operation] of operations.entries()) {
      const outcome = outcomes[i];
      if (outcome === undefined) await this.persist(operation);
      else this.note(operation, outcome);
    }
  }

  private note({ name, data }: Operation, outcome: object): void {
    if (!(outcome instanceof ParleyError)) this.acked.push({ name, data, reply: outcome });
    else if (name === 'message.send')
      this.refused.push({ data: data as CommandData<'message.send'>, at: this.time.now });
  }

  private async attemptInARow(operations: Operation[], partition: number): Promise<(object | undefined)[]> {
    const owner = this.authority.holder(partition);
    await this.time.sleep(this.chance.below(15));
    const outcomes: Promise<object | undefined>[] = [];
    for (const { name, data } of operations) {
      if (!owner || this.chance.is(this.loss())) {
        outcomes.push(Promise.resolve(undefined));
        continue;
      }
      const timeLeftMs = this.timeLeftMs();
      outcomes.push(
        this.outcome(owner.instance.submit(name, data, partition, owner.term, timeLeftMs), timeLeftMs),
      );
      await this.time.sleep(this.chance.below(4));
    }
    return Promise.all(outcomes);
  }

  /** How long the asker of one attempt waits: now and then hardly longer than the owner needs, or not even that. */
  private timeLeftMs(): number {
    return this.chance.is(0.2) ? 190 + this.chance.below(40) : 250 + this.chance.below(1750);
  }

  /** The reply, a final refusal, or undefined when nobody knows. */
  private async attempt(name: CommandName, data: CommandData<CommandName>): Promise<object | undefined> {
    const partition = partitionOf(data.conversationId);
    const owner = this.authority.holder(partition);
    if (!owner || this.chance.is(this.loss())) return undefined;
    await this.time.sleep(this.chance.below(15));
    const copies = this.chance.is(this.loss()) ? 2 : 1;
    const timeLeftMs = this.timeLeftMs();
    const replies = Array.from({ length: copies }, async (_, i) => {
      if (i > 0) await this.time.sleep(this.chance.below(300));
      return owner.instance.submit(name, data, partition, owner.term, timeLeftMs);
    });
    for (const reply of replies) reply.catch(() => undefined);
    return this.outcome(this.chance.pick(replies), timeLeftMs);
  }

  private async outcome(answer: Promise<object>, timeLeftMs: number): Promise<object | undefined> {
    const late = this.time.sleep(timeLeftMs).then(() => undefined);
    try {
      const reply = await Promise.race([answer, late]);
      return this.chance.is(this.loss()) ? undefined : reply;
    } catch (error) {
      if (error instanceof Moved) return undefined;
      if (!(error instanceof ParleyError)) throw error;
      return error.code === 'unavailable' ? undefined : error;
    }
  }

  private choose(): Operation {
    const conversationId = this.chance.pick(this.conversations);
    const target = { conversationId, actorId: this.userId };
    const known = this.acked.filter((entry) => entry.reply.message?.conversationId === conversationId);
    const message = known.length > 0 ? this.chance.pick(known).reply.message! : undefined;
    const dice = this.chance.next();
    if (message && dice < 0.1) {
      return {
        name: 'message.edit',
        data: { ...target, messageId: message.id, body: `edit ${this.count++}` },
      };
    }
    if (message && dice < 0.2) {
      const present = this.chance.is(0.7);
      return { name: 'reaction.set', data: { ...target, messageId: message.id, emoji: '👍', present } };
    }
    if (message && dice < 0.24) return { name: 'message.delete', data: { ...target, messageId: message.id } };
    if (dice < 0.3) {
      const userId = this.chance.pick(this.others);
      return this.chance.is(0.5)
        ? { name: 'member.put', data: { ...target, userId } }
        : { name: 'member.remove', data: { ...target, userId } };
    }
    if (dice < 0.34) {
      return { name: 'conversation.update', data: { ...target, change: { title: `title ${this.count++}` } } };
    }
    return this.message(conversationId);
  }

  private message(conversationId: string): Operation {
    const clientMessageId = `${this.userId.slice(-2)}-${this.count++}`;
    const target = { conversationId, actorId: this.userId };
    return { name: 'message.send', data: { ...target, ...SEND, clientMessageId, body: clientMessageId } };
  }
}
