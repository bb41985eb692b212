import type { z } from 'zod';
import { conversationOperations } from './conversations';
import { identityOperations } from './identity';
import { messageOperations } from './messages';
import { notificationOperations } from './notifications';
import type { OperationSpec } from './operation';
import { presenceOperations } from './presence';
import type { OperationId } from './routes';

/** Every operation's parameters, body and answers, by operationId; `routes` has its method and path. */
export const operations = {
  ...identityOperations,
  ...conversationOperations,
  ...messageOperations,
  ...presenceOperations,
  ...notificationOperations,
} as const satisfies Record<OperationId, OperationSpec>;

type Operations = typeof operations;

/** Query values are as a program has them, numbers and lists; they travel as text. */
type Parts<Spec> = (Spec extends { params: infer P extends z.ZodType } ? { params: z.output<P> } : unknown) &
  (Spec extends { query: infer Q extends z.ZodType } ? { query?: z.output<Q> } : unknown) &
  (Spec extends { body: infer B extends z.ZodType }
    ? undefined extends z.input<B>
      ? { body?: z.input<B> }
      : { body: z.input<B> }
    : unknown) &
  (Spec extends { idempotencyKey: true } ? { idempotencyKey?: string } : unknown);

/** What a caller gives: path parameters, query, body. */
export type OperationInput<Id extends OperationId> = Parts<Operations[Id]>;

type AnswerBody<A> = A extends { body: infer B } ? (B extends z.ZodType ? z.output<B> : void) : never;

/** What a caller gets: the body of any of the successful answers. */
export type OperationOutput<Id extends OperationId> = AnswerBody<
  Operations[Id]['answers'][keyof Operations[Id]['answers']]
>;
