import { type ConversationType, partitionOf } from '@parley/contracts';
import { RecentMap } from '@parley/service';

/** What deciding about a message takes to know of its conversation. Never changed in place: others may hold it. */
export interface ConversationState {
  readonly type: ConversationType;
  readonly memberCount: number;
  /** Everybody, where they are few; null where they are looked up one by one. */
  readonly members: ReadonlySet<string> | null;
}

/** At least so many, at most twice as many. */
const CONVERSATIONS = 10_000;

/** The conversations of the partitions that this instance feeds, as far as they were active lately. */
export class ConversationCache {
  private readonly states = new RecentMap<string, ConversationState>(CONVERSATIONS);

  /** @param membersHeldMax groups of up to so many members are held with everybody */
  constructor(readonly membersHeldMax: number) {}

  get(conversationId: string): ConversationState | undefined {
    return this.states.get(conversationId);
  }

  /** Takes what was committed; undefined forgets. */
  set(conversationId: string, state: ConversationState | undefined): void {
    if (state && this.isKept(state)) this.states.set(conversationId, this.trimmed(state));
    else this.states.delete(conversationId);
  }

  /** Another instance may have fed these partitions meanwhile. */
  forget(partitions: ReadonlySet<number>): void {
    for (const id of this.states.keys()) if (partitions.has(partitionOf(id))) this.states.delete(id);
  }

  private holdsMembers(state: ConversationState): boolean {
    return state.type !== 'channel' && state.memberCount <= this.membersHeldMax;
  }

  /** One that has shrunk to where everybody is held is read again. */
  private isKept(state: ConversationState): boolean {
    return state.members !== null || !this.holdsMembers(state);
  }

  private trimmed(state: ConversationState): ConversationState {
    return this.holdsMembers(state) ? state : { ...state, members: null };
  }
}
