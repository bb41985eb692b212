import type { ClosedLoop, OpenLoop } from './scenario';
import { nowUs } from './tally';

/** Whoever can send a message that was due at a moment in µs. */
export interface Sender {
  send(dueUs: number): void;
}

/** Decides when messages are sent, until it is stopped. */
export interface Pace<S extends Sender> {
  start(senders: S[]): void;
  onAcked(sender: S): void;
  stop(): void;
}

export function paceOf<S extends Sender>(pace: ClosedLoop | OpenLoop): Pace<S> {
  return pace.kind === 'closed' ? closedLoop(pace) : openLoop(pace);
}

function closedLoop<S extends Sender>({ inFlightPerUser }: ClosedLoop): Pace<S> {
  let running = false;
  return {
    start(senders) {
      running = true;
      for (const sender of senders) for (let i = 0; i < inFlightPerUser; i++) sender.send(nowUs());
    },
    onAcked(sender) {
      if (running) sender.send(nowUs());
    },
    stop() {
      running = false;
    },
  };
}

/**
 * Message n is due n intervals after the start, and is sent by the senders in turn. What became due while the
 * generator or the system was busy is sent late but counts from when it was due, so no wait is left out of the figures.
 */
function openLoop<S extends Sender>({ messagesPerSecond }: OpenLoop): Pace<S> {
  const intervalUs = 1e6 / messagesPerSecond;
  let timer: NodeJS.Timeout | undefined;
  return {
    start(senders) {
      const startUs = nowUs();
      let sent = 0;
      timer = setInterval(() => {
        for (const now = nowUs(); startUs + sent * intervalUs <= now; sent++)
          (senders[sent % senders.length] as S).send(startUs + sent * intervalUs);
      }, 1);
    },
    onAcked: () => undefined,
    stop: () => clearInterval(timer),
  };
}
