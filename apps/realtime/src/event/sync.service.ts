import { composeSync, type Requester } from '@parley/broker';
import { ParleyError, unavailable, type SyncResult } from '@parley/contracts';
import type { NodeLog } from '../feed/node-log';
import type { Session } from '../socket/session';
import type { Payload } from './router';

const PER_SOCKET_MAX = 2;
const PER_NODE_MAX = 256;

/** Composes `sync` from messaging's account part and history's conversations. */
export class SyncService {
  private underWay = 0;

  constructor(
    private readonly requester: Requester,
    private readonly log: NodeLog,
  ) {}

  /** @throws ParleyError `rate_limited`, `unavailable` */
  async answer(session: Session, payload: Payload<'sync'>): Promise<SyncResult> {
    if (session.syncs >= PER_SOCKET_MAX) {
      throw new ParleyError('rate_limited', 'Other syncs are under way.', { retryAfterMs: 500 });
    }
    if (this.underWay >= PER_NODE_MAX) throw unavailable('Too many syncs are under way.', 1_000);
    this.underWay += 1;
    session.syncs += 1;
    session.left ??= new Set();
    try {
      const result = await composeSync(session.userId, payload, {
        conversations: (data) => this.requester.query('history.sync', data),
        account: (data) => this.requester.query('messaging.account', data),
      });
      if (result.epoch !== this.log.epoch) throw unavailable('The view is being rebuilt.', 1_000);
      return upToDate(session, session.left ?? new Set(), result);
    } finally {
      this.underWay -= 1;
      session.syncs -= 1;
      if (session.syncs === 0) session.left = null;
    }
  }
}

/**
 * The answer may be older than what the socket was told since. A conversation that it left meanwhile, be it back by now,
 * began anew for it: what was asked for its former state is dropped. One that it is in now is not gone.
 */
function upToDate(session: Session, left: ReadonlySet<string>, result: SyncResult): SyncResult {
  const { account, conversations, removed } = result;
  const isIn = (id: string) => session.conversations.has(id);
  const changes = account.changes.filter(({ state, conversationId: id }) =>
    state === 'joined' ? isIn(id) || !left.has(id) : !isIn(id),
  );
  return {
    ...result,
    account: { ...account, changes },
    conversations: conversations.filter(({ id }) => !left.has(id)),
    removed: removed.filter((id) => !isIn(id)),
  };
}
