import {
  notificationPage,
  notificationsQuery,
  readNotificationsBody,
  readNotificationsReply,
} from '../notification';
import { answer, type OperationSpec } from './operation';

export const notificationOperations = {
  listNotifications: {
    summary: "The caller's in-app list, newest first",
    query: notificationsQuery,
    answers: { 200: answer('A page.', notificationPage) },
  },
  readNotifications: {
    summary: 'Mark notifications as read',
    body: readNotificationsBody,
    answers: { 200: answer('How many are unread now.', readNotificationsReply) },
  },
} as const satisfies Record<string, OperationSpec>;
