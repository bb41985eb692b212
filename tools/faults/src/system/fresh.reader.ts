import type { Conversation, Message, MessagePage, SyncResult } from '@parley/contracts';
import { requestJson } from '@parley/tool-load';
import type { FreshConversation } from '../checker/observations';

const PAGE = 100;

/**
 * Reads a conversation through the gateway as somebody who comes fresh: all pages of its messages, and the rest of its
 * state by a sync from nothing.
 */
export async function readFresh(
  gatewayUrl: string,
  conversationId: string,
  accessToken: string,
): Promise<FreshConversation> {
  const path = `${gatewayUrl}/v1/conversations/${conversationId}`;
  const { conversation } = await requestJson<{ conversation: Conversation }>('GET', path, { accessToken });
  const messages: Message[] = [];
  for (let hasAfter = true, after = 0; hasAfter;) {
    const url = `${path}/messages?after=${after}&limit=${PAGE}&atLeast=${conversation.version}`;
    const page = await requestJson<MessagePage>('GET', url, { accessToken });
    messages.push(...page.items);
    hasAfter = page.hasAfter && page.items.length > 0;
    after = page.items.at(-1)?.number ?? after;
  }
  const { conversations } = await requestJson<SyncResult>('POST', `${gatewayUrl}/v1/sync`, {
    accessToken,
    body: { epoch: null, accountCursor: null, versions: { [conversationId]: 0 } },
  });
  const delta = conversations.find(({ id }) => id === conversationId);
  return {
    conversationId,
    version: delta?.head ?? 0,
    messageCount: conversation.messageCount,
    messages,
    members:
      conversation.type === 'channel'
        ? null
        : (delta?.members ?? []).map(({ userId, role }) => ({ userId, role })),
  };
}
