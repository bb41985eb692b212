import { composeSync, type Requester } from '@parley/broker';
import { ParleyError, unavailable, type SyncResult } from '@parley/contracts';
import type { Config } from '../config';
import type { NodeLog } from '../feed/node-log';
import type { Arrivals } from '../socket/arrivals';
import type { Session } from '../socket/session';
import { Gate } from './gate';
import type { Payload } from './router';

const PER_SOCKET_MAX = 2;
/** As many as a node may hold sockets and more would wait too long in any case. */
const WAITING_MAX = 5_000;
/** Who is still outside comes first: while a storm is on, half as many syncs are under way. */
const IN_STORM = 0.5;
/** Together with the questions themselves below the time that clients wait for an answer. */
const WAIT_MS_MAX = 5_000;

/** Composes `sync` from messaging's account part and history's conversations. */
export class SyncService {
  private readonly gate: Gate;

  constructor(
    private readonly requester: Requester,
    private readonly log: NodeLog,
    arrivals: Arrivals,
    { SYNC_CONCURRENCY }: Config,
  ) {
    this.gate = new Gate({
      concurrency: () => (arrivals.areStorm ? Math.ceil(SYNC_CONCURRENCY * IN_STORM) : SYNC_CONCURRENCY),
      waitingMax: WAITING_MAX,
      waitMsMax: WAIT_MS_MAX,
    });
  }

  /** @throws ParleyError `rate_limited`, `unavailable` */
  async answer(session: Session, payload: Payload<'sync'>): Promise<SyncResult> {
    if (session.syncs >= PER_SOCKET_MAX) {
      throw new ParleyError('rate_limited', 'Other syncs are under way.', { retryAfterMs: 500 });
    }
    session.syncs += 1;
    session.left ??= new Set();
    try {
      const result = await this.gate.pass(() => this.ask(session, payload));
      if (result.epoch !== this.log.epoch) throw unavailable('The view is being rebuilt.', 1_000);
      return upToDate(session, session.left ?? new Set(), result);
    } finally {
      session.syncs -= 1;
      if (session.syncs === 0) session.left = null;
    }
  }

  private async ask(session: Session, payload: Payload<'sync'>): Promise<SyncResult> {
    // It may have waited in line, and gone meanwhile.
    if (session.state === 'closing') throw unavailable('The socket is closing.');
    return composeSync(session.userId, payload, {
      conversations: (data) => this.requester.query('history.sync', data),
      account: (data) => this.requester.query('messaging.account', data),
    });
  }
}

/**
 * The answer may be older than what the socket was told, even before it asked: the view takes somebody who was removed for a
 * member until it has come to the removal. So nothing is said of a conversation that is gone for the socket. One that it
 * left meanwhile, be it back by now, began anew for it: what was asked for its former state is dropped. One that it is in
 * now is not gone, or goes with a row that is on its way here: that it was not told of its end is remembered.
 */
function upToDate(session: Session, left: ReadonlySet<string>, result: SyncResult): SyncResult {
  const { account, conversations, removed } = result;
  const isIn = (id: string) => session.conversations.has(id);
  const ended = account.changes.flatMap(({ state, conversationId }) =>
    state === 'left' ? conversationId : [],
  );
  for (const id of [...ended, ...removed]) if (isIn(id)) (session.withheld ??= new Set()).add(id);
  const changes = account.changes.filter(({ state, conversationId: id }) =>
    state === 'joined' ? isIn(id) || !left.has(id) : !isIn(id),
  );
  return {
    ...result,
    account: { ...account, changes },
    conversations: conversations.filter(({ id }) => !left.has(id) && !session.gone?.has(id)),
    removed: removed.filter((id) => !isIn(id)),
  };
}
