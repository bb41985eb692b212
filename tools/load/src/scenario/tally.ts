import { LatencyHistogram } from '../measure/histogram';

/** A moment in microseconds, for differences only. */
export function nowUs(): number {
  return performance.now() * 1000;
}

/** What one run counts: totals, and what falls into the measured window for the figures. */
export class Tally {
  /** Answered with success, from the first message on. */
  acked = 0;
  /** Messages that reached a socket for the first time, from the first message on. */
  delivered = 0;
  /** Refusals by code; each was retried. */
  readonly refusals = new Map<string, number>();
  /** Sockets that ended, with the reason. */
  readonly lostSockets: string[] = [];

  /** The same, inside the window. */
  ackedInWindow = 0;
  deliveredInWindow = 0;
  /** From the intended time of sending, for messages due inside the window, in µs. */
  readonly ackLatency = new LatencyHistogram();
  readonly deliveryLatency = new LatencyHistogram();

  private windowStartUs = Infinity;
  private windowEndUs = Infinity;

  openWindow(atUs: number): void {
    this.windowStartUs = atUs;
  }

  closeWindow(atUs: number): void {
    this.windowEndUs = atUs;
  }

  ack(dueUs: number, atUs: number): void {
    this.acked++;
    if (this.isInside(atUs)) this.ackedInWindow++;
    if (this.isInside(dueUs)) this.ackLatency.record(atUs - dueUs);
  }

  deliver(dueUs: number, atUs: number): void {
    this.delivered++;
    if (this.isInside(atUs)) this.deliveredInWindow++;
    if (this.isInside(dueUs)) this.deliveryLatency.record(atUs - dueUs);
  }

  refuse(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  private isInside(us: number): boolean {
    return us >= this.windowStartUs && us < this.windowEndUs;
  }
}
