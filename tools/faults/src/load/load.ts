import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from '@parley/contracts';
import { HttpError, requestJson } from '@parley/tool-load';
import type { AckedChange, AckedSend, RefusedSend } from '../checker/observations';
import type { Delayed } from '../checker/refusals';
import { BROKEN } from '../client/connection';
import type { Person } from '../client/person';
import { Random } from './random';
import type { Place, World } from './world';

/** Between two actions of one person, on average, where nothing else is said. */
export const PACE_MS = 100;
/** More unanswered writes than this, and a person waits: an outage must not pile up without end. */
const UNANSWERED_MAX = 8;
const RETRY_MS = 250;
const GUEST_MS = 600;
const FINAL = new Set([
  'invalid_request',
  'forbidden',
  'blocked',
  'not_found',
  'conflict',
  'idempotency_mismatch',
]);
const EMOJI = ['👍', '🎉', '❤️', '👀'];

/** One answered send, with the moment of its first attempt and of the answer (performance.now(), ms). */
export interface Timing {
  conversationId: string;
  firstAttemptAt: number;
  ackedAt: number;
}

/**
 * Continuous traffic: everybody writes, edits, deletes and reacts where he is, owners remove and add a guest. Every write
 * is repeated, with the same client id, until it is answered for good; nothing is given up.
 */
export class Load {
  readonly sends: AckedSend[] = [];
  readonly changes: AckedChange[] = [];
  readonly refused: RefusedSend[] = [];
  readonly timings: Timing[] = [];
  /** Writes that had to be repeated because the service refused them for a while. */
  readonly delayed: Delayed[] = [];
  /** The highest acknowledged version of each conversation. */
  readonly heads = new Map<string, number>();
  private readonly random: Random;
  private readonly known = new Map<string, Message[]>();
  private readonly unanswered = new Map<Person, number>();
  private readonly ranks = new Map<string, number>();
  private running = false;
  private loops: Promise<void>[] = [];
  private readonly writes = new Set<Promise<void>>();

  constructor(
    private readonly world: World,
    private readonly gatewayUrl: string,
    seed: number,
    private readonly paceMs = PACE_MS,
  ) {
    this.random = new Random(seed);
  }

  start(): void {
    this.running = true;
    this.loops = [
      ...this.world.people.map((person) => this.live(person)),
      ...this.world.places.filter((place) => place.guest).map((place) => this.moveGuest(place)),
    ];
  }

  /**
   * Starts nothing new and waits for all answers.
   * @returns how many writes are still unanswered after `timeoutMs`.
   */
  async pause(timeoutMs: number): Promise<number> {
    this.running = false;
    const end = performance.now() + timeoutMs;
    let isDone = false;
    void Promise.all(this.loops).then(async () => {
      await Promise.all(this.writes);
      isDone = true;
    });
    while (!isDone && performance.now() < end) await delay(50);
    return isDone ? 0 : Math.max(1, this.writes.size);
  }

  private async live(person: Person): Promise<void> {
    const places = this.world.places.filter((place) => place.people.includes(person));
    while (this.running) {
      await delay(this.paceMs * (0.5 + this.random.next()));
      const place = this.random.pick(places);
      if (!place || (this.unanswered.get(person) ?? 0) >= UNANSWERED_MAX) continue;
      const { id } = place.circle.conversation;
      const chance = this.random.next();
      if (chance < 0.75) this.begin(person, this.send(person, id));
      else if (chance < 0.9) this.begin(person, this.react(person, id));
      else if (chance < 0.96) this.begin(person, this.changeOwn(person, id, 'message:edit'));
      else if (chance < 0.98) this.begin(person, this.changeOwn(person, id, 'message:delete'));
      else if (place.circle.conversation.type === 'group') void person.type(id);
    }
  }

  private begin(person: Person, write: Promise<void>): void {
    this.unanswered.set(person, (this.unanswered.get(person) ?? 0) + 1);
    this.writes.add(write);
    void write.finally(() => {
      this.writes.delete(write);
      this.unanswered.set(person, (this.unanswered.get(person) ?? 1) - 1);
    });
  }

  private async send(person: Person, conversationId: string): Promise<void> {
    const clientMessageId = randomUUID();
    const body = `Message ${clientMessageId.slice(0, 8)} of ${person.userId.slice(-6)}`;
    // A message's place is promised only if it went out on a socket at its first attempt.
    while (!person.isConnected) await delay(RETRY_MS);
    const { socketId } = person;
    const rank = (this.ranks.get(socketId) ?? 0) + 1;
    this.ranks.set(socketId, rank);
    const firstAttemptAt = performance.now();
    const { attempts, outcome } = await this.insist(person, 'message:send', {
      conversationId,
      clientMessageId,
      body,
    });
    const common = { conversationId, senderId: person.userId, clientMessageId };
    if (typeof outcome === 'string') {
      this.refused.push({ ...common, code: outcome });
      return;
    }
    const { id: messageId, number, version } = outcome;
    this.sends.push({ ...common, body, messageId, number, version, socketId, rank, attempts });
    this.rise(conversationId, version);
    this.timings.push({ conversationId, firstAttemptAt, ackedAt: performance.now() });
    this.known.set(conversationId, [...(this.known.get(conversationId) ?? []).slice(-50), outcome]);
  }

  private async react(person: Person, conversationId: string): Promise<void> {
    const message = this.random.pick(this.known.get(conversationId) ?? []);
    if (!message) return;
    const event = this.random.next() < 0.7 ? 'reaction:add' : 'reaction:remove';
    const emoji = this.random.pick(EMOJI) ?? '';
    await this.change(person, event, { conversationId, messageId: message.id, emoji });
  }

  private async changeOwn(person: Person, conversationId: string, event: string): Promise<void> {
    const own = (this.known.get(conversationId) ?? []).filter(({ senderId }) => senderId === person.userId);
    const message = this.random.pick(own);
    if (!message) return;
    const rest = event === 'message:edit' ? { body: `${message.body ?? ''}, edited` } : {};
    await this.change(person, event, { conversationId, messageId: message.id, ...rest });
  }

  private async change(
    person: Person,
    event: string,
    payload: { conversationId: string; messageId: string; emoji?: string; body?: string },
  ): Promise<void> {
    const { outcome } = await this.insist(person, event, payload);
    if (typeof outcome === 'string') return;
    const { conversationId, version } = outcome;
    this.changes.push({ conversationId, messageId: payload.messageId, version });
    this.rise(conversationId, version);
  }

  private rise(conversationId: string, version: number): void {
    this.heads.set(conversationId, Math.max(version, this.heads.get(conversationId) ?? 0));
  }

  /** Repeats a write until it is answered: with the message, or with the code of a final refusal. */
  private async insist(
    person: Person,
    event: string,
    payload: Record<string, unknown> & { conversationId: string },
  ): Promise<{ attempts: number; outcome: Message | string }> {
    const startedAt = performance.now();
    let refusal: string | undefined;
    for (let attempts = 1; ; attempts++) {
      const answer = await person.write(event, payload);
      if (answer.ok || FINAL.has(answer.error.code)) {
        if (refusal !== undefined) this.wasDelayed(person, payload.conversationId, refusal, startedAt);
        return { attempts, outcome: answer.ok ? answer.message : answer.error.code };
      }
      if (answer.error.code !== BROKEN) refusal ??= `${answer.error.code}: ${answer.error.message}`;
      await delay((answer.error.retryAfterMs ?? RETRY_MS) * (0.8 + 0.4 * this.random.next()));
    }
  }

  /** Removes the guest and adds him again, or lets him leave and join where it is a channel. */
  private async moveGuest({ circle, people, guest }: Place): Promise<void> {
    const [owner] = people;
    if (!owner || !guest) return;
    const { id, type } = circle.conversation;
    const path = `${this.gatewayUrl}/v1/conversations/${id}`;
    const member = `${path}/members/${guest.userId}`;
    const actor = type === 'channel' ? guest : owner;
    while (this.running) {
      await delay(GUEST_MS * (0.5 + this.random.next()));
      await this.insistHttp('DELETE', member, actor);
      await delay(GUEST_MS * (0.5 + this.random.next()));
      if (type === 'channel') await this.insistHttp('POST', `${path}/join`, actor);
      else await this.insistHttp('PUT', member, actor, {});
    }
  }

  private wasDelayed({ userId }: Person, conversationId: string, reason: string, startedAt: number): void {
    this.delayed.push({ conversationId, userId, reason, startedAt, endedAt: performance.now() });
  }

  private async insistHttp(method: string, url: string, actor: Person, body?: object): Promise<void> {
    const startedAt = performance.now();
    let refusal: string | undefined;
    const onRefused = (status: number, text: string): void => void (refusal ??= `HTTP ${status}: ${text}`);
    for (;;) {
      try {
        const request = { accessToken: actor.newToken(), onRefused, ...(body ? { body } : {}) };
        await requestJson(method, url, request);
        if (refusal !== undefined) this.wasDelayed(actor, url.split('/')[5] ?? '', refusal, startedAt);
        return;
      } catch (error) {
        // A repeat whose first attempt was carried out may find nothing left to do.
        if (error instanceof HttpError && (error.status === 404 || error.status === 403)) return;
        if (error instanceof HttpError) onRefused(error.status, error.message);
        await delay(RETRY_MS);
      }
    }
  }
}
