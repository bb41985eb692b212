import type { Broker, Publisher } from '@parley/broker';
import type { ConnectionEvent } from '@parley/contracts';
import type { Sessions } from '../socket/sessions';

const COLLECT_MS = 100;
const EVENTS_PER_MESSAGE = 200;
/** Everything is announced again so often, a little at a time, so that presence heals whatever it missed. */
const ROUND_MS = 30_000;
const STEP_MS = 1_000;

/** Tells presence which users have how many sockets here: changes soon, and all of it again and again. */
export class PresenceAnnouncer {
  private readonly changed = new Set<string>();
  private timer?: NodeJS.Timeout;
  private readonly steps: NodeJS.Timeout;
  private round: Iterator<string> = [][Symbol.iterator]();
  private perStep = 0;
  private stepsLeft = 0;
  /** Rises over restarts too, in case an instance keeps its name. */
  private sequence = Date.now() * 1_000;

  constructor(
    private readonly broker: Broker,
    private readonly publisher: Publisher,
    private readonly sessions: Sessions,
  ) {
    sessions.watchCounts((userId) => this.onCount(userId));
    broker.on('connected', () => this.announceAll());
    this.steps = setInterval(() => this.step(), STEP_MS);
    this.steps.unref();
  }

  /** Says what is still unsaid; afterwards nothing is announced any more. */
  stop(): void {
    clearInterval(this.steps);
    clearTimeout(this.timer);
    this.flush();
  }

  private onCount(userId: string): void {
    this.changed.add(userId);
    this.timer ??= setTimeout(() => this.flush(), COLLECT_MS);
  }

  private flush(): void {
    this.timer = undefined;
    const userIds = [...this.changed];
    this.changed.clear();
    this.announce(userIds);
  }

  private announceAll(): void {
    this.announce([...this.sessions.users()]);
  }

  /** One part of the present round; who comes or goes meanwhile is announced by the change. */
  private step(): void {
    if (this.stepsLeft === 0) {
      const userIds = [...this.sessions.users()];
      this.stepsLeft = ROUND_MS / STEP_MS;
      this.perStep = Math.ceil(userIds.length / this.stepsLeft);
      this.round = userIds[Symbol.iterator]();
    }
    this.stepsLeft -= 1;
    const part: string[] = [];
    while (part.length < this.perStep) {
      const { value, done } = this.round.next();
      if (done) break;
      part.push(value);
    }
    this.announce(part);
  }

  private announce(userIds: string[]): void {
    for (let i = 0; i < userIds.length; i += EVENTS_PER_MESSAGE) {
      const events: ConnectionEvent[] = userIds.slice(i, i + EVENTS_PER_MESSAGE).map((userId) => ({
        node: this.broker.options.instanceId,
        sequence: ++this.sequence,
        userId,
        sockets: this.sessions.countOf(userId),
      }));
      this.publisher.connections(events);
    }
  }
}
