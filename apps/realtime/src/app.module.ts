import { Module, type DynamicModule } from '@nestjs/common';
import {
  Broker,
  BrokerModule,
  ControlInbox,
  Membership,
  Publisher,
  Requester,
  type Subscription,
} from '@parley/broker';
import { queues } from '@parley/contracts';
import { brokerSettings, HealthRegistry, TokenVerifier } from '@parley/service';
import { CONFIG, type Config } from './config';
import { Handlers } from './event/handlers';
import { Router } from './event/router';
import { SyncService } from './event/sync.service';
import { Typing } from './event/typing';
import { Digest } from './feed/digest';
import { Floors } from './feed/floors';
import { LaneRelay } from './feed/lane.relay';
import { NodeLog } from './feed/node-log';
import { RecentRows } from './feed/recent-rows';
import { Rooms } from './feed/rooms';
import { RowApplier } from './feed/row.applier';
import { JoinService } from './join/join.service';
import { RefreshService } from './join/refresh.service';
import { HeapTrimmer } from './memory/heap.trimmer';
import { Recovery } from './user/recovery';
import { PresenceAnnouncer } from './presence/presence.announcer';
import { PresenceWatch } from './presence/presence.watch';
import { assembled, provided } from './providers';
import { RealtimeNode } from './realtime.node';
import { Arrivals } from './socket/arrivals';
import { Cluster } from './socket/cluster';
import { Drain } from './socket/drain';
import { Handshake } from './socket/handshake';
import { Housekeeping } from './socket/housekeeping';
import { RevokedSessions } from './socket/revoked-sessions';
import { SessionCheck } from './socket/session.check';
import { Sessions } from './socket/sessions';
import { SocketGateway } from './socket/socket.gateway';
import { Profiles } from './user/profiles';
import { UserConsumer } from './user/user.consumer';

@Module({})
export class AppModule {
  static register(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [brokerModule(config)],
      controllers: [UserConsumer],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: Cluster, useFactory: () => new Cluster(config) },
        { provide: Sessions, useFactory: () => new Sessions(config) },
        provided(Handshake, CONFIG, TokenVerifier, Cluster),
        provided(RevokedSessions, Broker),
        provided(SessionCheck, Requester, RevokedSessions),
        provided(Profiles, Requester, Broker),
        provided(Rooms),
        provided(RecentRows),
        provided(Floors),
        provided(NodeLog, Requester),
        provided(RowApplier, Sessions, Rooms, RecentRows),
        provided(LaneRelay, Broker, Membership, Cluster, NodeLog),
        provided(Digest, Rooms, NodeLog),
        provided(Arrivals),
        provided(SyncService, Requester, NodeLog, Arrivals, CONFIG),
        provided(Typing, Rooms, Cluster),
        provided(PresenceWatch, Requester),
        provided(PresenceAnnouncer, Broker, Publisher, Sessions),
        provided(Handlers, Requester, Handshake, SyncService, Typing, PresenceWatch),
        provided(Router, Handlers),
        assembled(JoinService, {
          requester: Requester,
          profiles: Profiles,
          check: SessionCheck,
          log: NodeLog,
          recent: RecentRows,
          rooms: Rooms,
          applier: RowApplier,
          floors: Floors,
          router: Router,
          config: CONFIG,
        }),
        provided(Recovery, Broker, Sessions, PresenceWatch),
        provided(RefreshService, Sessions, Rooms, RecentRows, Floors, JoinService),
        provided(Drain, Sessions, CONFIG),
        provided(Housekeeping, Sessions, RevokedSessions, Typing, Floors, NodeLog),
        provided(HeapTrimmer),
        SocketGateway,
        assembled(RealtimeNode, {
          broker: Broker,
          control: ControlInbox,
          cluster: Cluster,
          health: HealthRegistry,
          sessions: Sessions,
          router: Router,
          log: NodeLog,
          applier: RowApplier,
          refresh: RefreshService,
          relay: LaneRelay,
          digest: Digest,
          announcer: PresenceAnnouncer,
          housekeeping: Housekeeping,
          trimmer: HeapTrimmer,
          drain: Drain,
        }),
      ],
    };
  }
}

function brokerModule(config: Config): DynamicModule {
  const { INSTANCE_ID: instanceId } = config;
  const accounts = { exchange: 'accounts', queue: queues.liveAccounts('realtime', instanceId) } as const;
  // Each fanout has its own copy for this instance; a queue shared by two would mix their events.
  const inbox = (exchange: Subscription['exchange']): Subscription => ({
    exchange,
    queue: queues.inbox('realtime', `${instanceId}.${exchange}`),
    keys: [''],
  });
  return BrokerModule.forRoot({
    ...brokerSettings(config),
    service: 'realtime',
    instanceId,
    serves: { subscriptions: [{ ...accounts, keys: ['#'] }, inbox('users'), inbox('presence')] },
  });
}
