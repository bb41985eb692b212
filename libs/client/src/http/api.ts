import {
  ParleyError,
  routes,
  type OperationId,
  type OperationInput,
  type OperationOutput,
  type Route,
} from '@parley/contracts';
import type { Session } from '../session/session';
import type { HttpTransport, RequestParts } from './transport';

export interface CallOptions {
  signal?: AbortSignal;
}

type Call<Id extends OperationId> =
  object extends OperationInput<Id>
    ? (input?: OperationInput<Id>, options?: CallOptions) => Promise<OperationOutput<Id>>
    : (input: OperationInput<Id>, options?: CallOptions) => Promise<OperationOutput<Id>>;

/** One function per HTTP operation, by operationId. All reject with a ParleyError and nothing else. */
export type Api = { readonly [Id in OperationId]: Call<Id> };

/** Builds the functions. A request whose token the server finds expired is sent once more with a new one. */
export function createApi(transport: HttpTransport, session: Session, newKey: () => string): Api {
  async function call(id: OperationId, input: RequestParts, options: CallOptions): Promise<unknown> {
    const route: Route = routes[id];
    const parts: RequestParts = { ...input, ...options };
    // A key that stays the same over the retry below, so that the retry makes no second conversation.
    if (id === 'createConversation') parts.idempotencyKey ??= newKey();
    if (route.public) return transport.send(route, parts);

    const accessToken = await session.accessToken();
    try {
      return await transport.send(route, { ...parts, accessToken });
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'token_expired') throw error;
      await session.replace(accessToken);
      return transport.send(route, { ...parts, accessToken: await session.accessToken() });
    }
  }
  const entries = (Object.keys(routes) as OperationId[]).map((id) => [
    id,
    (input: RequestParts = {}, options: CallOptions = {}) => call(id, input, options),
  ]);
  return Object.fromEntries(entries) as Api;
}
