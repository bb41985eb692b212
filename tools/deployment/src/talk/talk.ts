import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ParleyClient, ParleyError } from '@parley/client';
import type { Message } from '@parley/contracts';
import { until } from '@parley/tool-load';
import { awaited } from '../command';
import { judge, type Sent } from './judge';
import { signUp } from './sign-up';

/** How soon a refused HTTP request is repeated. */
const REPEAT_MS = 100;
/** Until everybody is heard again after a disturbance: a broker's start is the longest. */
const FLOW_WITHIN_MS = 120_000;
const PAGE = 100;
/** Below the gateway's limit for a person. */
const PAGE_PAUSE_MS = 50;

/** What happened to the talk during a while. */
export interface Stretch {
  messages: number;
  /** HTTP requests that were not answered with success: the status and code, or the network's error. */
  refused: string[];
  /** From sending to the acknowledgement, repetitions included; of sockets and HTTP alike. */
  longestMs: number;
}

interface TimedSent extends Sent {
  sentAt: number;
  storedAt?: number;
  /** What the server finally said against it. */
  refusal?: string;
}

/**
 * Three people in a group who talk without a pause, through the gateway alone and as any client would: alice and bob over
 * sockets, carol over HTTP. What is refused is repeated with the same `clientMessageId` until it is stored.
 */
export class Talk {
  private readonly sent: TimedSent[] = [];
  private readonly refusals: { at: number; what: string }[] = [];
  private isOver = false;
  private speaking: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly people: Map<string, ParleyClient>,
    private readonly conversationId: string,
    private readonly paceMs: number,
  ) {}

  static async start(url: string, paceMs: number): Promise<Talk> {
    const people = new Map<string, ParleyClient>();
    for (const name of ['alice', 'bob', 'carol']) people.set(name, await signUp(url, name));
    const [alice, bob, carol] = [...people.values()] as [ParleyClient, ParleyClient, ParleyClient];
    const { id } = await alice.create({
      type: 'group',
      title: 'Everybody',
      memberIds: [bob.user!.id, carol.user!.id],
    });
    const talk = new Talk(people, id, paceMs);
    const speakers = [talk.overSocket('alice', alice), talk.overSocket('bob', bob), talk.overHttp(carol)];
    talk.speaking = Promise.all(speakers);
    return talk;
  }

  /** Runs `disturb`, waits until everybody is heard again, and says how it went meanwhile. */
  async during(disturb: () => Promise<void>): Promise<Stretch> {
    const from = performance.now();
    const first = this.sent.length;
    await disturb();
    await this.flows();
    const stretch = this.sent.slice(first);
    const now = performance.now();
    return {
      messages: stretch.length,
      refused: this.refusals.filter(({ at }) => at >= from).map(({ what }) => what),
      longestMs: Math.max(0, ...stretch.map(({ sentAt, storedAt }) => (storedAt ?? now) - sentAt)),
    };
  }

  /** Ends the talk and says what became of the messages that should not. */
  async end(): Promise<string[]> {
    this.isOver = true;
    await this.speaking;
    const isSettled = (): boolean => this.sent.every(({ storedAt, refusal }) => storedAt ?? refusal);
    await awaited('every message is stored, or refused', isSettled, FLOW_WITHIN_MS);
    const log = await this.read();
    const [last] = log.slice(-1);
    const holds = (client: ParleyClient): boolean =>
      client.store.messages(this.conversationId).at(-1)?.number === last?.number;
    // Whoever does not come to it is judged as he stands.
    await until(() => [...this.people.values()].every(holds), FLOW_WITHIN_MS);
    const views = new Map([...this.people].map(([name, client]) => [name, this.viewOf(client, log.length)]));
    const refused = this.sent.filter(({ refusal }) => refusal !== undefined);
    const refusals = refused.map(({ body, refusal }) => `refused: "${body}": ${refusal}`);
    return [...refusals, ...judge({ sent: this.sent, log, views })];
  }

  async close(): Promise<void> {
    this.isOver = true;
    await Promise.all([...this.people.values()].map((client) => client.close()));
  }

  /** Resolves when something that each of them has sent from now on is stored, and seen by the others. */
  private async flows(): Promise<void> {
    const first = this.sent.length;
    const heard = (name: string): TimedSent | undefined =>
      this.sent.slice(first).find(({ sender, stored }) => sender === name && stored);
    for (const name of this.people.keys()) {
      await awaited(`${name} is heard`, () => heard(name) !== undefined, FLOW_WITHIN_MS);
      const { number } = heard(name)!.stored!;
      for (const [other, client] of this.people) {
        const hears = (): boolean =>
          (client.store.messages(this.conversationId).at(-1)?.number ?? 0) >= number;
        await awaited(`${other} hears ${name}`, hears, FLOW_WITHIN_MS);
      }
    }
  }

  private async overSocket(sender: string, client: ParleyClient): Promise<void> {
    for (let count = 1; !this.isOver; count += 1) {
      const entry = this.begin(sender, count);
      client.send({ conversationId: this.conversationId, body: entry.body }).stored.then(
        (message) => this.stored(entry, message),
        (error: Error) => void (entry.refusal = error.message),
      );
      await delay(this.paceMs);
    }
  }

  private async overHttp(client: ParleyClient): Promise<void> {
    for (let count = 1; !this.isOver; count += 1) {
      const entry = this.begin('carol', count);
      const request = {
        params: { conversationId: this.conversationId },
        body: { clientMessageId: randomUUID(), body: entry.body },
      };
      while (!entry.stored) {
        try {
          this.stored(entry, (await client.api.sendMessage(request)).message);
        } catch (error) {
          this.refusals.push({ at: performance.now(), what: describe(error as ParleyError) });
          await delay(REPEAT_MS);
        }
      }
      await delay(this.paceMs);
    }
  }

  private begin(sender: string, count: number): TimedSent {
    const entry: TimedSent = { sender, body: `${sender} ${count}`, sentAt: performance.now() };
    this.sent.push(entry);
    return entry;
  }

  private stored(entry: TimedSent, message: Message): void {
    entry.stored = message;
    entry.storedAt = performance.now();
  }

  /** Reads it all, as a stranger to what is held. */
  private async read(): Promise<Message[]> {
    const [reader] = this.people.values();
    const log: Message[] = [];
    for (;;) {
      const page = {
        params: { conversationId: this.conversationId },
        query: { after: log.at(-1)?.number ?? 0, limit: PAGE },
      };
      const { items, hasAfter } = await reader!.api.listMessages(page);
      log.push(...items);
      if (!hasAfter) return log;
      await delay(PAGE_PAUSE_MS);
    }
  }

  /** All of it, for a client may have let go of what is old. */
  private viewOf(client: ParleyClient, count: number): Message[] {
    return client.store.messages(this.conversationId).slice(-count);
  }
}

function describe(error: ParleyError): string {
  return `${error.status || 'no answer'} ${error.code}: ${error.message}`;
}
