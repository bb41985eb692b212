import type { ServerPayload } from '@parley/contracts';
import { Emitter } from '../emitter';
import type { Clock } from '../environment';

/** How often the server is told while somebody goes on writing. It forgets after 6 s. */
const REPEAT_MS = 3_000;
/** Without another key press for so long, the writing is over. */
const IDLE_MS = 5_000;
/** A little longer than the server remembers, for a lost `typing: false`. */
const FORGET_MS = 8_000;

type Tell = (event: 'typing:start' | 'typing:stop', conversationId: string) => void;

interface Own {
  toldAt: number;
  idle: unknown;
}

/** Who is writing where. Never stored, never repeated when lost. */
export class Typing extends Emitter<{ changed: { conversationId: string; userIds: string[] } }> {
  private readonly own = new Map<string, Own>();
  private readonly others = new Map<string, Map<string, unknown>>();

  constructor(
    private readonly clock: Clock,
    private readonly tell: Tell,
  ) {
    super();
  }

  /** To be called at every key press; the server hears of it now and then. */
  press(conversationId: string): void {
    const now = this.clock.now();
    const known = this.own.get(conversationId);
    if (known) this.clock.clearTimeout(known.idle);
    const isDue = !known || now - known.toldAt >= REPEAT_MS;
    const idle = this.clock.setTimeout(() => this.stop(conversationId), IDLE_MS);
    this.own.set(conversationId, { toldAt: isDue ? now : known.toldAt, idle });
    if (isDue) this.tell('typing:start', conversationId);
  }

  /** To be called when the message was sent or its text deleted; happens by itself after a while. */
  stop(conversationId: string): void {
    const known = this.own.get(conversationId);
    if (!known) return;
    this.clock.clearTimeout(known.idle);
    this.own.delete(conversationId);
    this.tell('typing:stop', conversationId);
  }

  /** Who is writing there now. */
  in(conversationId: string): string[] {
    return [...(this.others.get(conversationId)?.keys() ?? [])];
  }

  apply({ conversationId, userId, typing }: ServerPayload<'typing:changed'>): void {
    const here = this.others.get(conversationId) ?? new Map<string, unknown>();
    this.clock.clearTimeout(here.get(userId));
    const isNews = here.delete(userId) !== typing;
    if (typing) {
      const forget = () => this.apply({ conversationId, userId, typing: false });
      here.set(userId, this.clock.setTimeout(forget, FORGET_MS));
    }
    if (here.size > 0) this.others.set(conversationId, here);
    else this.others.delete(conversationId);
    if (isNews) this.emit('changed', { conversationId, userIds: this.in(conversationId) });
  }

  /** Without a connection nobody is known to write. */
  clear(): void {
    for (const { idle } of this.own.values()) this.clock.clearTimeout(idle);
    this.own.clear();
    for (const [conversationId, here] of [...this.others]) {
      for (const userId of [...here.keys()]) this.apply({ conversationId, userId, typing: false });
    }
  }
}
