import type { ServiceName } from '@parley/contracts';
import { controlKeys, envelopes, exchanges } from '@parley/contracts';
import type { Broker } from './broker';
import type { ControlInbox } from './control';

const HEARTBEAT_MS = 1000;
const GONE_AFTER_MS = 4000;

interface Heartbeat {
  v?: number;
  service: ServiceName;
  instanceId: string;
  leaving: boolean;
}

type Listener = (instances: string[]) => void;

/**
 * Which instances of which service are there, told by their heartbeats over the broker: gone 4 s after the last one, at
 * once after an orderly leave. While the broker is away nothing expires, for nobody can be heard then.
 */
export class Membership {
  private readonly seen = new Map<ServiceName, Map<string, number>>();
  private readonly listeners = new Map<ServiceName, Set<Listener>>();
  private readonly newcomers = new Set<() => void>();
  private timer?: NodeJS.Timeout;
  private left = false;

  constructor(
    private readonly broker: Broker,
    control: ControlInbox,
  ) {
    control.on('member.*', (body) => this.hear(body as Heartbeat));
    broker.on('connected', () => {
      this.refreshAll();
      this.beat();
    });
  }

  start(): void {
    const { service, instanceId } = this.broker.options;
    this.hear({ service, instanceId, leaving: false });
    this.timer = setInterval(() => {
      this.beat();
      this.expire();
    }, HEARTBEAT_MS);
    this.beat();
  }

  /** Says goodbye, so that others take over at once. Later heartbeats are not sent. */
  leave(): void {
    if (this.left) return;
    this.left = true;
    clearInterval(this.timer);
    this.beat();
    const { service, instanceId } = this.broker.options;
    this.hear({ service, instanceId, leaving: true });
  }

  /** Ids of the instances that are there, sorted; this one included while it runs. */
  instances(service: ServiceName): string[] {
    return [...(this.seen.get(service)?.keys() ?? [])].sort();
  }

  /** When an instance was last heard, by the monotonic clock in milliseconds; -Infinity for one that is not there. */
  heardAt(service: ServiceName, instanceId: string): number {
    return this.seen.get(service)?.get(instanceId) ?? -Infinity;
  }

  /** Calls back at once and whenever the list changes. Returns how to stop. */
  onChange(service: ServiceName, listener: Listener): () => void {
    const set = this.listeners.get(service) ?? new Set();
    this.listeners.set(service, set);
    set.add(listener);
    listener(this.instances(service));
    return () => set.delete(listener);
  }

  /** Calls back whenever an instance of any service appears: a reason to announce oneself. */
  onNewcomer(listener: () => void): void {
    this.newcomers.add(listener);
  }

  private beat(): void {
    const { service, instanceId } = this.broker.options;
    const body: Heartbeat = { v: envelopes.member.written, service, instanceId, leaving: this.left };
    this.broker.publish(exchanges.control.name, controlKeys.member(service), JSON.stringify(body));
  }

  private hear({ service, instanceId, leaving }: Heartbeat): void {
    const known = this.seen.get(service) ?? new Map<string, number>();
    this.seen.set(service, known);
    const isNew = !known.has(instanceId);
    const isSelf = instanceId === this.broker.options.instanceId;
    if (leaving || (isSelf && this.left)) {
      if (known.delete(instanceId)) this.notify(service);
      return;
    }
    known.set(instanceId, performance.now());
    if (!isNew) return;
    this.notify(service);
    for (const listener of this.newcomers) listener();
  }

  private expire(): void {
    if (!this.broker.connected) return;
    const oldest = performance.now() - GONE_AFTER_MS;
    for (const [service, known] of this.seen) {
      let changed = false;
      for (const [instanceId, at] of known) {
        if (at >= oldest || instanceId === this.broker.options.instanceId) continue;
        changed = known.delete(instanceId);
      }
      if (changed) this.notify(service);
    }
  }

  /** After an outage everybody gets the full time again to be heard. */
  private refreshAll(): void {
    const now = performance.now();
    for (const known of this.seen.values()) for (const id of known.keys()) known.set(id, now);
  }

  private notify(service: ServiceName): void {
    const instances = this.instances(service);
    for (const listener of this.listeners.get(service) ?? []) listener(instances);
  }
}
