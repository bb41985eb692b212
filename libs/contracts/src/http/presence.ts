import { z } from 'zod';
import { presenceEntry, presenceQuery, putPresenceBody } from '../presence';
import { answer, type OperationSpec } from './operation';

const presenceAnswer = z.object({ items: z.array(presenceEntry) });

export const presenceOperations = {
  getPresence: {
    summary: 'Who is online',
    query: presenceQuery,
    answers: { 200: answer('One entry per user asked for.', presenceAnswer) },
  },
  setPresence: {
    summary: "Set the caller's status",
    body: putPresenceBody,
    answers: { 200: answer("The caller's own entry.", presenceAnswer) },
  },
} as const satisfies Record<string, OperationSpec>;
