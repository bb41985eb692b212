export { backoffMs, patienceMs, RECONNECT_BACKOFF, SYNC_BACKOFF, type BackoffOptions } from './backoff';
export { ParleyClient, type MessageRef, type NewMessage, type SendHandle } from './client';
export {
  MemoryStorage,
  systemClock,
  WebStorage,
  type Clock,
  type KeyValueStorage,
  type Logger,
  type WebStorageLike,
} from './environment';
export type { Api, CallOptions } from './http/api';
export type { ParleyClientOptions } from './options';
export type { OutgoingMessage } from './outbox/outbox';
export type { AnyServerEvent } from './realtime/connection';
export type { RealtimeStatus } from './realtime/realtime';
export type { SessionUser, SignedOutReason } from './session/session';
export type { ConversationView } from './store/conversation.view';
export type { OlderMessages } from './store/pager';
export { newTraceparent } from './trace';
export { ParleyError, type ErrorCode } from '@parley/contracts';
