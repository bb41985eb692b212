import { counter, gauge, histogram } from '@parley/service';

/** Seconds; a delivery that took longer was repaired rather than delivered. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What this service counts. Names of users and conversations are never labels. */
export const metrics = {
  sockets: gauge('realtime_sockets', 'Open sockets of this node.'),
  joining: gauge('realtime_joins_waiting', 'Sockets that wait for their memberships.'),
  events: counter('realtime_client_events_total', 'Events from clients by name and outcome.', [
    'event',
    'outcome',
  ]),
  ackSeconds: histogram(
    'realtime_ack_seconds',
    "Time from a client's event to its acknowledgement.",
    ['event'],
    latencyBuckets,
  ),
  deliveries: counter('realtime_deliveries_total', 'Durable events written to sockets.'),
  deliverySeconds: histogram(
    'realtime_delivery_seconds',
    'Time from the change being made to its event being written to the sockets, once for each change.',
    [],
    latencyBuckets,
  ),
  gaps: counter('realtime_gaps_total', 'Gaps found in the rows of a partition.'),
  replayed: counter('realtime_replayed_rows_total', 'Rows fetched from messaging because they were missing.'),
  jumps: counter('realtime_jumps_total', 'Partitions that missed too much and went on from the head.'),
  dropped: counter('realtime_dropped_total', 'What was not passed on, by reason.', ['reason']),
  closed: counter('realtime_closed_total', 'Sockets that this node closed, by the reason told.', ['reason']),
  handshakes: counter('realtime_handshakes_total', 'Connections by outcome.', ['outcome']),
};

/** Rows that the log has and this node has not applied, by partition. The newest log of the process is shown. */
export function showLag(lagOf: () => Iterable<[partition: number, rows: number]>): void {
  gauge(
    'realtime_partition_lag_rows',
    'Rows of the log not applied by this node.',
    ['partition'],
    function () {
      for (const [partition, rows] of lagOf()) this.set({ partition: String(partition) }, rows);
    },
  );
}
