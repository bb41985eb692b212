import type { ConversationType } from '@parley/contracts';

/** How the load is made, and what is expected of it on two cores. */
export interface Scenario {
  name: string;
  type: ConversationType;
  /** Members of each conversation. */
  size: number;
  pace: ClosedLoop | OpenLoop;
  aims: Aims;
}

/** Each user sends the next message when the answer to an earlier one is there. */
export interface ClosedLoop {
  kind: 'closed';
  inFlightPerUser: number;
}

/** Messages are due at fixed moments, whether earlier ones were answered or not. */
export interface OpenLoop {
  kind: 'open';
  messagesPerSecond: number;
}

export interface Aims {
  ackedPerSecond?: number;
  deliveriesPerSecond?: number;
  ackP50Ms?: number;
  ackP99Ms?: number;
}

export const scenarios: Scenario[] = [
  {
    name: 'pairs',
    type: 'direct',
    size: 2,
    pace: { kind: 'closed', inFlightPerUser: 2 },
    aims: { ackedPerSecond: 4500 },
  },
  {
    name: 'groups-of-4',
    type: 'group',
    size: 4,
    pace: { kind: 'closed', inFlightPerUser: 2 },
    aims: { ackedPerSecond: 4500, deliveriesPerSecond: 18_000 },
  },
  {
    name: 'rooms-of-20',
    type: 'channel',
    size: 20,
    pace: { kind: 'closed', inFlightPerUser: 1 },
    aims: { deliveriesPerSecond: 45_000 },
  },
  {
    name: 'rooms-of-100',
    type: 'channel',
    size: 100,
    pace: { kind: 'closed', inFlightPerUser: 1 },
    aims: { deliveriesPerSecond: 65_000 },
  },
  {
    name: 'pairs-at-500',
    type: 'direct',
    size: 2,
    pace: { kind: 'open', messagesPerSecond: 500 },
    aims: { ackP50Ms: 5, ackP99Ms: 25 },
  },
];
