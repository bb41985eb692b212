import { setTimeout as delay } from 'node:timers/promises';
import { AccessTokens } from '@parley/tool-load';
import { Member, type Seat } from './member';
import { newTotals, type Totals } from './totals';

const POLL_MS = 20;

/** The members that one process holds. Its methods are what the parent process calls, see crowds.ts. */
export class Crowd {
  private members: Member[] = [];
  private totals = newTotals();
  private readonly tokens: AccessTokens;

  constructor(privateKeysFile: string) {
    this.tokens = new AccessTokens(privateKeysFile);
  }

  /** Opens a socket for each seat, `parallel` at a time. Resolves when all have their `ready`. */
  async enter(seats: Seat[], parallel: number): Promise<void> {
    const tokenOf = ({ userId, sessionId }: Seat): string => this.tokens.sign(userId, sessionId);
    const fresh = seats.map((seat) => new Member(seat, () => this.totals, tokenOf));
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
    const { members } = this;
    this.totals.standing = members.filter((member) => member.isStanding).length;
    this.totals.behind = members.filter((member) => member.isBehind).length;
    return this.totals;
  }

  /** Of each member, by user: messages held of these conversations. */
  async held(conversationIds: string[]): Promise<[userId: string, messages: number[]][]> {
    return this.members.map(({ seat, replica }) => [
      seat.userId,
      conversationIds.map((id) => replica.messagesIn(id)),
    ]);
  }
}

export type CrowdCall = {
  [K in keyof Crowd]: { id: number; name: K; args: Parameters<Crowd[K]> };
}[keyof Crowd];
