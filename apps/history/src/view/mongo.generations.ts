import { partitionOf } from '@parley/contracts';
import type { AppliedDocument, Collections } from './mongo.documents';
import { scopeOf } from './mongo.documents';
import { type CausalReads, oneOf } from './mongo.reads';

/** Conversations by scope; those whose partition holds nothing at all are left out. */
export type Scopes = Map<string, string>;

/**
 * The generation that each partition is in, as last seen: what the scopes of its conversations are made of. It changes
 * when the partition takes another epoch, which is rare, so a read begins with what is known and looks at the same time.
 */
export class Generations {
  private readonly known = new Map<number, AppliedDocument>();

  constructor(
    private readonly collections: Collections,
    private readonly reads: CausalReads,
  ) {}

  /** What `read` gives under the scopes that are valid now; with them, and with the epoch of each conversation. */
  async current<T>(
    conversationIds: string[],
    read: (scopes: Scopes) => Promise<T>,
  ): Promise<{ found: T; scopes: Scopes; epochs: Map<string, string> }> {
    const partitions = partitionsOf(conversationIds);
    for (;;) {
      const scopes = this.knownScopes(conversationIds);
      const [found] = await Promise.all([read(scopes), this.look(partitions)]);
      const valid = this.knownScopes(conversationIds);
      const isSame = conversationIds.every((id) => scopes.get(id) === valid.get(id));
      if (isSame) return { found, scopes, epochs: this.epochs(conversationIds) };
    }
  }

  private async look(partitions: number[]): Promise<void> {
    if (partitions.length === 0) return;
    const { applied } = this.collections;
    for (const document of await this.reads.find(applied, { _id: oneOf(partitions) }, { hint: { _id: 1 } })) {
      this.known.set(document._id, document);
    }
  }

  private knownScopes(conversationIds: string[]): Scopes {
    const scopes: Scopes = new Map();
    for (const id of conversationIds) {
      const document = this.known.get(partitionOf(id));
      if (document) scopes.set(id, scopeOf(id, document.generation));
    }
    return scopes;
  }

  private epochs(conversationIds: string[]): Map<string, string> {
    return new Map(
      conversationIds.flatMap((id) => {
        const epoch = this.known.get(partitionOf(id))?.epoch;
        return epoch === undefined ? [] : [[id, epoch]];
      }),
    );
  }
}

function partitionsOf(conversationIds: string[]): number[] {
  return [...new Set(conversationIds.map(partitionOf))];
}
