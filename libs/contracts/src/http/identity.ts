import {
  authenticated,
  changePasswordBody,
  jwks,
  loginBody,
  realtimeTicket,
  refreshBody,
  refreshed,
  registerBody,
  sessionParams,
  sessionsPage,
} from '../auth';
import { limitsSchema, pageQuery } from '../common';
import { me, updateMeBody, user, userParams, usersPage, usersQuery } from '../user';
import { answer, noContent, type OperationSpec } from './operation';

export const identityOperations = {
  register: {
    summary: 'Create an account and sign in',
    body: registerBody,
    answers: { 201: answer('The account and its first tokens.', authenticated) },
    refusals: ['conflict'],
  },
  login: {
    summary: 'Sign in',
    body: loginBody,
    answers: { 200: answer('The account and new tokens.', authenticated) },
    refusals: ['invalid_credentials', 'totp_required'],
  },
  refreshTokens: {
    summary: 'Exchange the refresh token for new tokens',
    description:
      'Rotates. The old token answers with the same successor until that successor is first used, so a lost answer ' +
      'is asked for again; used after that, it revokes the whole session.',
    body: refreshBody,
    answers: { 200: answer('New tokens.', refreshed) },
    refusals: ['unauthenticated'],
  },
  logout: {
    summary: 'End this session everywhere at once, its sockets too',
    answers: { 204: noContent },
  },
  changePassword: {
    summary: 'Change the password; every other session ends',
    body: changePasswordBody,
    answers: { 204: noContent },
    refusals: ['invalid_credentials'],
  },
  listSessions: {
    summary: "The caller's sessions, newest first",
    query: pageQuery,
    answers: { 200: answer('A page.', sessionsPage) },
  },
  revokeSession: {
    summary: 'Sign out one device',
    params: sessionParams,
    answers: { 204: noContent },
    refusals: ['not_found'],
  },
  createRealtimeTicket: {
    summary: 'A ticket for one socket, for clients that cannot set headers',
    answers: { 201: answer('The ticket; it goes into the query parameter `ticket`.', realtimeTicket) },
  },
  getJwks: {
    summary: 'The public keys of access tokens, current and next',
    answers: { 200: answer('A JSON Web Key Set.', jwks) },
  },
  getLimits: {
    summary: 'Every bound that a client can meet',
    answers: { 200: answer('Numbers by name; the unit is the last word of the name.', limitsSchema) },
  },
  getMe: {
    summary: "The caller's own profile",
    answers: { 200: answer('The profile.', me) },
  },
  updateMe: {
    summary: "Change the caller's profile",
    body: updateMeBody,
    answers: { 200: answer('The profile after the change.', me) },
    refusals: ['conflict'],
  },
  getUser: {
    summary: "Somebody's profile",
    params: userParams,
    answers: { 200: answer('The profile.', user) },
    refusals: ['not_found'],
  },
  listUsers: {
    summary: 'Profiles by ids, or by the beginning of a name',
    query: usersQuery,
    answers: {
      200: answer(
        'A page. Unknown ids are left out. Of a query first those whose username begins with it, by username, then those of whom only the display name does, by that; a page may hold fewer than `limit`, and only `nextCursor: null` says that it is the last.',
        usersPage,
      ),
    },
  },
} as const satisfies Record<string, OperationSpec>;
