import { Injectable } from '@nestjs/common';
import { ParleyError, unavailable } from '@parley/contracts';
import { EpochSource } from '../feed/epoch.source';
import { HeadWatch } from '../feed/head.watch';
import { parkedMs } from '../sync/sync.delta';
import type { Standing } from '../view/view.store';
import { ViewStore } from '../view/view.store';
import { MemberDirectory } from './member.directory';

/** Who may read a conversation's messages: its members, and anybody where it is a public channel (a preview). */
@Injectable()
export class ReadAccess {
  constructor(
    private readonly store: ViewStore,
    private readonly directory: MemberDirectory,
    private readonly watch: HeadWatch,
    private readonly epochs: EpochSource,
  ) {}

  /**
   * The conversation, once the caller may read it and the view holds `atLeast`.
   *
   * @throws ParleyError `not_found` for whoever may not read it, whether or not it exists; `unavailable` when the view does
   *   not get there within a second, an event of it is parked, or messaging cannot be asked about a stranger
   */
  async check(userId: string, conversationId: string, atLeast = 0): Promise<Standing> {
    const version = Math.max(atLeast, 1);
    let standing = await this.permitted(userId, conversationId);
    if (!standing || standing.head < version) {
      const isReached = await this.watch.reach(conversationId, version);
      // What came meanwhile may have been a removal.
      if (isReached) standing = await this.permitted(userId, conversationId);
    }
    if (standing?.isParked) throw unavailable('The conversation cannot be read at the moment.', parkedMs);
    if (!standing || standing.head < version) throw unavailable('The view has not got that far yet.');
    return standing;
  }

  /** The conversation, if the view holds it, once the caller may read it. */
  private async permitted(userId: string, conversationId: string): Promise<Standing | undefined> {
    const standing = await this.look(userId, conversationId);
    if (mayRead(standing)) return standing;
    const memberOf = await this.directory.memberOf(userId, [conversationId]);
    if (!memberOf.has(conversationId)) throw notFound();
    return standing;
  }

  /** What is left of a former epoch, or of its emptying, tells nothing. */
  private async look(userId: string, conversationId: string): Promise<Standing | undefined> {
    const standing = (await this.store.standings(userId, [conversationId])).get(conversationId);
    if (!standing || !(await this.epochs.isInForce(standing.epoch))) return undefined;
    if (standing.deleted) throw notFound();
    return standing;
  }
}

function mayRead(standing: Standing | undefined): boolean {
  if (!standing) return false;
  if (standing.isMember) return true;
  const { conversation } = standing;
  return conversation?.type === 'channel' && conversation.visibility === 'public';
}

function notFound(): ParleyError {
  return new ParleyError('not_found', 'There is no such conversation.');
}
