import type { QueryData, QueryReply, SyncPayload, SyncResult } from '@parley/contracts';
import { limits } from '@parley/contracts';

/** Entries in a page of `sync` when the client names no limit. */
const SYNC_LIMIT_DEFAULT = 200;

/** Who answers the two parts of `sync`: the view for the conversations, messaging for the account. */
export interface SyncParts {
  conversations(data: QueryData<'history.sync'>): Promise<QueryReply<'history.sync'>>;
  account(data: QueryData<'messaging.account'>): Promise<QueryReply<'messaging.account'>>;
}

/**
 * Puts the answer to `sync` together, for the socket and for HTTP alike. The account is read last, so that it says the
 * newest about what the user has joined and left. A cursor of another epoch means nothing, so all of the account is asked.
 *
 * @throws ParleyError `unavailable` when either part cannot be had
 */
export async function composeSync(
  userId: string,
  payload: SyncPayload,
  parts: SyncParts,
): Promise<SyncResult> {
  const limit = Math.min(payload.limit ?? SYNC_LIMIT_DEFAULT, limits.syncEntriesMax);
  const { epoch, versions } = payload;
  const { conversations, removed, ...view } = await parts.conversations({ userId, epoch, versions, limit });
  const cursor = epoch === view.epoch ? payload.accountCursor : null;
  const account = await parts.account({ userId, cursor, limit });
  return { epoch: view.epoch, account, conversations, removed };
}
