import { Inject, Injectable } from '@nestjs/common';
import { Requester } from '@parley/broker';

/** Messaging's own word on who is a member, for those whom the view does not know: the event may be on its way. */
@Injectable()
export class MemberDirectory {
  constructor(@Inject(Requester) private readonly requester: Pick<Requester, 'query'>) {}

  /**
   * Those of the conversations that the user is a member of now. Asks nobody about none.
   *
   * @throws ParleyError `unavailable` when messaging does not answer
   */
  async memberOf(userId: string, conversationIds: string[]): Promise<Set<string>> {
    if (conversationIds.length === 0) return new Set();
    const { memberOf } = await this.requester.query('messaging.membership', { userId, conversationIds });
    return new Set(memberOf);
  }
}
