import { routes, type Route } from '@parley/contracts';

/** Who serves which call of the public contract. `{…}` in a path is an example's id. */
export interface ContractCall {
  method: string;
  path: string;
  app: 'auth' | 'messaging' | 'history' | 'presence' | 'notification' | 'realtime';
  /** Needs no token. */
  open?: true;
}

const id = '018f3a2e-7d1b-7c44-9d0e-3f6a5b2c1d00';
const conversation = `/v1/conversations/${id}`;

function calls(app: ContractCall['app'], lines: string, open?: true): ContractCall[] {
  return lines
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [methods, path] = line.trim().split(/ +/) as [string, string];
      return methods.split('/').map((method) => ({ method, path, app, ...(open ? { open } : {}) }));
    });
}

/** Every operation that the code has, with an example's id for each parameter. */
const builtCalls: ContractCall[] = Object.values<Route>(routes).map(
  ({ method, path, app, public: open }) => ({
    method,
    path: path.replace(/\{(\w+)\}/g, (_, name: string) => (name === 'emoji' ? '%F0%9F%91%8D' : id)),
    app,
    ...(open ? { open } : {}),
  }),
);

/** What is built, and what the contract promises for later: its routes stand already. */
export const contractCalls: ContractCall[] = [
  ...builtCalls,
  ...calls(
    'auth',
    `POST /v1/auth/register
     POST /v1/auth/login
     POST /v1/auth/refresh
     POST /v1/auth/password/forgot
     POST /v1/auth/password/reset
     POST /v1/auth/email/verify
     GET /v1/auth/.well-known/jwks.json
     GET/HEAD /v1/limits
     GET/HEAD /docs
     GET /docs/
     GET /docs/openapi.json
     GET /docs/asyncapi.json`,
    true,
  ),
  ...calls(
    'auth',
    `POST /v1/auth/logout
     GET /v1/auth/sessions
     DELETE /v1/auth/sessions/${id}
     POST /v1/auth/password/change
     POST /v1/auth/totp/enroll
     POST /v1/auth/totp/confirm
     POST /v1/auth/totp/disable
     POST /v1/auth/realtime-tickets
     GET/PATCH/DELETE /v1/users/me
     GET /v1/users/${id}
     GET /v1/users?ids=${id}
     GET /v1/users?query=al
     GET /v1/users/me/blocks
     PUT/DELETE /v1/users/me/blocks/${id}`,
  ),
  ...calls(
    'messaging',
    `POST/GET /v1/conversations
     GET/HEAD /v1/conversations?limit=50
     GET/PATCH/DELETE ${conversation}
     GET ${conversation}/members
     PUT/PATCH/DELETE ${conversation}/members/${id}
     POST ${conversation}/join
     GET /v1/channels?query=news
     POST ${conversation}/invites
     POST /v1/invites/code/accept
     POST ${conversation}/messages
     PATCH/DELETE ${conversation}/messages/${id}
     PUT/DELETE ${conversation}/messages/${id}/reactions/%F0%9F%91%8D
     PUT/DELETE ${conversation}/messages/${id}/pin
     PUT ${conversation}/read
     PUT/DELETE ${conversation}/unread
     PUT ${conversation}/notifications`,
  ),
  ...calls(
    'history',
    `GET/HEAD ${conversation}/messages
     GET ${conversation}/messages?before=17&limit=50
     GET ${conversation}/messages/${id}
     GET ${conversation}/messages/${id}/thread
     GET ${conversation}/messages/${id}/edits
     GET ${conversation}/messages/${id}/receipts
     GET ${conversation}/pins
     POST /v1/sync
     GET /v1/search?q=word
     POST /v1/exports
     GET /v1/exports/${id}`,
  ),
  ...calls(
    'presence',
    `GET /v1/presence?userIds=${id}
     PUT /v1/presence/me`,
  ),
  ...calls(
    'notification',
    `GET /v1/notifications/vapid-key
     POST/GET /v1/notifications/devices
     DELETE /v1/notifications/devices/${id}
     GET/PUT /v1/notifications/preferences
     GET /v1/notifications
     PUT /v1/notifications/read`,
  ),
  ...calls('realtime', 'GET /realtime/?EIO=4&transport=websocket'),
];

/** What is nobody's: wrong methods, unknown paths, names that only begin alike. */
export const unknownCalls: [method: string, path: string][] = [
  ['GET', '/'],
  ['GET', '/v1'],
  ['GET', '/v1/unknown'],
  ['GET', '/v2/conversations'],
  ['GET', '/V1/conversations'],
  ['GET', '/v1/conversationsx'],
  ['GET', '/v1/usersx'],
  ['GET', '/v1/auth/login'],
  ['DELETE', '/v1/auth/register'],
  ['POST', '/v1/auth/login/x'],
  ['GET', '/v1/auth/unknown'],
  ['POST', '/v1/auth/.well-known/jwks.json'],
  ['POST', '/v1/limits'],
  ['POST', '/docs'],
  ['GET', '/docsx'],
  ['PATCH', '/v1/presence/me'],
  ['GET', '/v1/sync'],
  ['POST', '/v1/search'],
  ['PATCH', '/v1/notifications'],
  ['POST', '/realtime/'],
  ['GET', '/realtime/x'],
  ['GET', '/health/ready'],
  ['GET', '/metrics'],
];
