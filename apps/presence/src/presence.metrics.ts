import { counter, gauge } from '@parley/service';

export const connectionEvents = counter(
  'presence_connection_events_total',
  'Connection events from realtime nodes, by what became of them.',
  ['outcome'],
);

export const changesTold = counter(
  'presence_changes_total',
  'Changes of visible status told to realtime nodes.',
);

export const connectionsDropped = counter(
  'presence_connections_dropped_total',
  'Connections forgotten because their node was gone or no longer announced them.',
  ['reason'],
);

export const isLeader = gauge(
  'presence_leader',
  'Whether this instance tells changes and sweeps after dead nodes (1) or another one does (0).',
);
