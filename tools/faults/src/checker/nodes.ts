import type { Observations, SocketTrace, Violation } from './observations';

/** The versions of one conversation in the order in which a socket first heard of them; what a sync brought before counts as known. */
function heardOf(trace: SocketTrace, conversationId: string): number[] {
  const versions = new Set<number>();
  let known = 0;
  for (const entry of trace.entries) {
    if (entry.conversationId !== conversationId || entry.kind === 'hint') continue;
    if (entry.kind === 'stand') known = Math.max(known, entry.version);
    else if (entry.version > known) versions.add(entry.version);
  }
  return [...versions];
}

/**
 * Users of one conversation who are connected to different nodes are told the same order: what two nodes' longest
 * listeners both heard, they heard in the same sequence.
 */
export function checkNodes({ sockets, log }: Observations): Violation[] {
  const violations: Violation[] = [];
  for (const conversationId of new Set(log.map((row) => row.conversationId))) {
    const byNode = new Map<string, number[]>();
    for (const trace of sockets) {
      const heard = heardOf(trace, conversationId);
      if (trace.node && heard.length > (byNode.get(trace.node)?.length ?? 0)) byNode.set(trace.node, heard);
    }
    const [first, ...others] = [...byNode];
    for (const [node, heard] of others) {
      if (!first || isSameOrder(first[1], heard)) continue;
      violations.push({
        kind: 'nodes',
        conversationId,
        detail: `${first[0]} and ${node} told different orders`,
      });
    }
  }
  return violations;
}

/** How many conversations were heard on more than one node. */
export function sharedAmongNodes({ sockets }: Pick<Observations, 'sockets'>): number {
  const nodes = new Map<string, Set<string>>();
  for (const { node, entries } of sockets)
    for (const { conversationId } of entries)
      if (node) nodes.set(conversationId, (nodes.get(conversationId) ?? new Set()).add(node));
  return [...nodes.values()].filter(({ size }) => size > 1).length;
}

function isSameOrder(one: number[], other: number[]): boolean {
  const inOther = new Set(other);
  const inOne = new Set(one);
  const common = one.filter((version) => inOther.has(version));
  const counterpart = other.filter((version) => inOne.has(version));
  return common.every((version, index) => counterpart[index] === version);
}
