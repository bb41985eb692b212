import type { EnvelopeKind } from '@parley/contracts';
import { readability, versionOf } from '@parley/contracts';
import { hasShape } from './envelope.shape';
import type { BrokerOptions, Refusal } from './options';

const SAY_AGAIN_MS = 60_000;
const TROUBLE_MS = 30_000;

/**
 * Opens what comes from the broker: reads it, and refuses what this build does not read, never without a word. What becomes
 * of a refused one is its receiver's to decide: a request is answered, a durable event waits, the rest counts as lost.
 */
export class EnvelopeReader {
  private readonly saidAt = new Map<string, number>();
  private refused?: { at: number; what: string };

  constructor(private readonly options: Pick<BrokerOptions, 'logger' | 'onRefused'>) {}

  /** The envelope; undefined when it was refused. */
  read<T>(kind: EnvelopeKind, content: Buffer): T | undefined {
    const { body, refusal } = this.open(kind, content);
    return refusal ? undefined : (body as T);
  }

  open(kind: EnvelopeKind, content: Buffer): { body?: unknown; refusal?: Refusal } {
    let body: unknown;
    try {
      body = JSON.parse(content.toString());
    } catch {
      this.refuse(kind, 'malformed', NaN);
      return { refusal: 'malformed' };
    }
    const refusal = this.judge(kind, body);
    return refusal ? { body, refusal } : { body };
  }

  /** Of one that came another way. */
  judge(kind: EnvelopeKind, body: unknown): Refusal | undefined {
    const version = versionOf(body);
    const verdict = Number.isNaN(version) ? 'malformed' : readability(kind, version);
    // Another version may have another shape: which one it is comes first.
    if (verdict === 'readable' && hasShape(kind, body)) return undefined;
    const refusal = verdict === 'readable' ? 'malformed' : verdict;
    this.refuse(kind, refusal, version);
    return refusal;
  }

  /** What was refused lately, for the health of whoever depends on it. */
  trouble(): string | undefined {
    if (!this.refused || performance.now() - this.refused.at > TROUBLE_MS) return undefined;
    return `cannot read ${this.refused.what}`;
  }

  private refuse(kind: EnvelopeKind, refusal: Refusal, version: number): void {
    const what = `${kind} of version ${version}`;
    const now = performance.now();
    if (refusal === 'tooNew') this.refused = { at: now, what };
    this.options.onRefused?.(kind, refusal);
    // One line for each kind and version, not one for each envelope.
    if (now - (this.saidAt.get(what) ?? -Infinity) < SAY_AGAIN_MS) return;
    this.saidAt.set(what, now);
    this.options.logger.error({ kind, version, refusal }, 'broker: an envelope was refused');
  }
}
