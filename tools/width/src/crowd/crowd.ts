import { setTimeout as delay } from 'node:timers/promises';
import { AccessTokens } from '@parley/tool-load';
import { Member, type Seat } from './member';
import { newTotals, type Totals } from './totals';

const POLL_MS = 20;
/** A token is good for ten minutes; signing one costs more than most of what a client does. */
const TOKEN_KEPT_MS = 300_000;

/** How many messages a conversation has, and who ought to hold them. */
export interface Stock {
  id: string;
  messages: number;
  userIds: string[];
}

/** The members that one process holds. Its methods are what the parent process calls, see crowds.ts. */
export class Crowd {
  private members: Member[] = [];
  private totals = newTotals();
  private readonly tokens: AccessTokens;
  private readonly kept = new WeakMap<Seat, { token: string; atMs: number }>();

  constructor(privateKeysFile: string) {
    this.tokens = new AccessTokens(privateKeysFile);
  }

  /** Opens a socket for each seat, `parallel` at a time. Resolves when all have their `ready`. */
  async enter(seats: Seat[], parallel: number): Promise<void> {
    const fresh = seats.map((seat) => new Member(seat, () => this.totals, this.tokenOf));
    this.members.push(...fresh);
    const waiting = [...fresh];
    let entering: Member[] = [];
    while (waiting.length > 0 || entering.length > 0) {
      entering = entering.filter((member) => !member.isStanding);
      const next = waiting.splice(0, Math.max(0, parallel - entering.length));
      for (const member of next) member.open();
      entering.push(...next);
      await delay(POLL_MS);
    }
  }

  async say(count: number, name: string, payload: object): Promise<void> {
    for (const member of this.members.slice(0, count)) member.say(name, payload);
  }

  async leave(): Promise<void> {
    for (const member of this.members) member.close();
    this.members = [];
  }

  async reset(): Promise<void> {
    this.totals = newTotals();
  }

  async look(): Promise<Totals> {
    this.totals.standing = this.members.filter((member) => member.isStanding).length;
    return this.totals;
  }

  /** `look` without the times of each member, for those who look often. */
  async glance(): Promise<Totals> {
    return { ...(await this.look()), openMs: [], backMs: [] };
  }

  /** By how many messages the members here hold too few, or too many, of conversations that have so many. */
  async missing(conversations: Stock[]): Promise<number> {
    const replicas = new Map(this.members.map(({ seat, replica }) => [seat.userId, replica]));
    let missing = 0;
    for (const { id, messages, userIds } of conversations)
      for (const userId of userIds) {
        const held = replicas.get(userId)?.messagesIn(id);
        if (held !== undefined) missing += Math.abs(messages - held);
      }
    return missing;
  }

  private readonly tokenOf = (seat: Seat): string => {
    const { userId, sessionId } = seat;
    const now = performance.now();
    const kept = this.kept.get(seat);
    if (kept && now - kept.atMs < TOKEN_KEPT_MS) return kept.token;
    const token = this.tokens.sign(userId, sessionId);
    this.kept.set(seat, { token, atMs: now });
    return token;
  };
}

export type CrowdCall = {
  [K in keyof Crowd]: { id: number; name: K; args: Parameters<Crowd[K]> };
}[keyof Crowd];
