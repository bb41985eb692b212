/** What a client must know of the socket without any schema, so that it can leave the validator out. */
export const SOCKET_PATH = '/realtime';
export const PROTOCOL = 1;

/** Why the server closes a socket, and whether the client should come back. */
export const closeReasons = {
  unauthenticated: { reconnect: false },
  session_revoked: { reconnect: false },
  user_suspended: { reconnect: false },
  protocol_unsupported: { reconnect: false },
  too_many_connections: { reconnect: false },
  payload_too_large: { reconnect: true },
  rate_limited: { reconnect: true },
  slow_consumer: { reconnect: true },
  draining: { reconnect: true },
  internal: { reconnect: true },
} as const;
export type CloseReason = keyof typeof closeReasons;
