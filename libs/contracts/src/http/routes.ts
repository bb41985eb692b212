import type { ServiceName } from '../topology';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Route {
  method: HttpMethod;
  /** With `{name}` for each path parameter. */
  path: string;
  /** The app that answers; the gateway routes by method and path. */
  app: ServiceName;
  /** Answers without an access token. */
  public?: true;
}

const conversation = '/v1/conversations/{conversationId}';
const message = `${conversation}/messages/{messageId}` as const;

/**
 * Every HTTP operation by its operationId. Nothing here needs a schema, so that a client can carry this page without a
 * validator; `operations` pairs each with its parameters, body and answers.
 */
export const routes = {
  register: { method: 'POST', path: '/v1/auth/register', app: 'auth', public: true },
  login: { method: 'POST', path: '/v1/auth/login', app: 'auth', public: true },
  refreshTokens: { method: 'POST', path: '/v1/auth/refresh', app: 'auth', public: true },
  logout: { method: 'POST', path: '/v1/auth/logout', app: 'auth' },
  changePassword: { method: 'POST', path: '/v1/auth/password/change', app: 'auth' },
  listSessions: { method: 'GET', path: '/v1/auth/sessions', app: 'auth' },
  revokeSession: { method: 'DELETE', path: '/v1/auth/sessions/{sessionId}', app: 'auth' },
  createRealtimeTicket: { method: 'POST', path: '/v1/auth/realtime-tickets', app: 'auth' },
  getJwks: { method: 'GET', path: '/v1/auth/.well-known/jwks.json', app: 'auth', public: true },
  getLimits: { method: 'GET', path: '/v1/limits', app: 'auth', public: true },
  getMe: { method: 'GET', path: '/v1/users/me', app: 'auth' },
  updateMe: { method: 'PATCH', path: '/v1/users/me', app: 'auth' },
  getUser: { method: 'GET', path: '/v1/users/{userId}', app: 'auth' },
  listUsers: { method: 'GET', path: '/v1/users', app: 'auth' },

  createConversation: { method: 'POST', path: '/v1/conversations', app: 'messaging' },
  listConversations: { method: 'GET', path: '/v1/conversations', app: 'messaging' },
  getConversation: { method: 'GET', path: conversation, app: 'messaging' },
  updateConversation: { method: 'PATCH', path: conversation, app: 'messaging' },
  deleteConversation: { method: 'DELETE', path: conversation, app: 'messaging' },
  searchChannels: { method: 'GET', path: '/v1/channels', app: 'messaging' },
  joinChannel: { method: 'POST', path: `${conversation}/join`, app: 'messaging' },
  listMembers: { method: 'GET', path: `${conversation}/members`, app: 'messaging' },
  addMember: { method: 'PUT', path: `${conversation}/members/{userId}`, app: 'messaging' },
  changeRole: { method: 'PATCH', path: `${conversation}/members/{userId}`, app: 'messaging' },
  removeMember: { method: 'DELETE', path: `${conversation}/members/{userId}`, app: 'messaging' },
  markRead: { method: 'PUT', path: `${conversation}/read`, app: 'messaging' },
  markUnread: { method: 'PUT', path: `${conversation}/unread`, app: 'messaging' },
  clearUnread: { method: 'DELETE', path: `${conversation}/unread`, app: 'messaging' },

  sendMessage: { method: 'POST', path: `${conversation}/messages`, app: 'messaging' },
  editMessage: { method: 'PATCH', path: message, app: 'messaging' },
  deleteMessage: { method: 'DELETE', path: message, app: 'messaging' },
  addReaction: { method: 'PUT', path: `${message}/reactions/{emoji}`, app: 'messaging' },
  removeReaction: { method: 'DELETE', path: `${message}/reactions/{emoji}`, app: 'messaging' },
  pinMessage: { method: 'PUT', path: `${message}/pin`, app: 'messaging' },
  unpinMessage: { method: 'DELETE', path: `${message}/pin`, app: 'messaging' },

  listMessages: { method: 'GET', path: `${conversation}/messages`, app: 'history' },
  getMessage: { method: 'GET', path: message, app: 'history' },
  listThread: { method: 'GET', path: `${message}/thread`, app: 'history' },
  listPins: { method: 'GET', path: `${conversation}/pins`, app: 'history' },
  sync: { method: 'POST', path: '/v1/sync', app: 'history' },

  getPresence: { method: 'GET', path: '/v1/presence', app: 'presence' },
  setPresence: { method: 'PUT', path: '/v1/presence/me', app: 'presence' },

  listNotifications: { method: 'GET', path: '/v1/notifications', app: 'notification' },
  readNotifications: { method: 'PUT', path: '/v1/notifications/read', app: 'notification' },
} as const satisfies Record<string, Route>;

export type OperationId = keyof typeof routes;
export type RoutesOf<App extends ServiceName> = {
  [Id in OperationId]: (typeof routes)[Id]['app'] extends App ? Id : never;
}[OperationId];
