import type { AppName, Instance, MessageStore, ServerName } from '@parley/tool-local';
import type { System } from '@parley/tool-load';

/** What must hold besides that nothing is lost, doubled, reordered or leaked. */
export interface Demands {
  /** How long a write may be refused, from its first attempt or a later strike, in milliseconds; 0: nothing is refused. */
  refusedMsMax?: number;
  /** Everybody's presence is right 30 s after the strike, without a storm. Takes the bystanders away at the strike. */
  presence?: boolean;
}

/** What a fault may do beside breaking things. */
export interface Hands {
  /** Stops and starts an instance by `work` without the supervisor's help. */
  without(instance: Instance, work: () => Promise<void>): Promise<void>;
  /** The build of another release, of `--from`. */
  formerWorkspace?: string;
  presentWorkspace: string;
}

/** One thing that goes wrong. */
export interface Fault {
  name: string;
  /** With this store alone. */
  store?: MessageStore;
  /** The server that it strikes, which must be ours: see `impediment`. */
  strikes?: ServerName;
  /** It strikes members of a replica set, which not every MongoDB has. */
  needsMembers?: boolean;
  demands?: Demands;
  /** Apps of which there are too few instances here to strike them; the others are struck. */
  leavesOut?(system: System): readonly AppName[];
  /**
   * Breaks it and ends the disturbance; what comes after must happen by itself. May answer how long, at most, it took
   * until everything was shared evenly anew, in milliseconds.
   */
  strike(system: System, hands: Hands): Promise<number | void>;
}
