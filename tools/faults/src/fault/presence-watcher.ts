import { setTimeout as delay } from 'node:timers/promises';
import type { Violation } from '../checker/observations';
import { checkPresence, checkStorm, type PresenceTruth, type PresenceView } from '../checker/presence';
import type { Person } from '../client/person';
import type { World } from '../load/world';

/** Everybody's presence is right this long after the disturbance. */
const RIGHT_MS = 30_000;
const POLL_MS = 100;

/**
 * Follows presence through one round: the bystanders go at the moment of the strike and come back when it was judged, so
 * that there is somebody to be missed even where everybody else reconnects at once.
 */
export class PresenceWatcher {
  private readonly toldBefore: Map<Person, ReadonlyMap<string, number>>;
  private readonly connectionsBefore: Map<Person, number>;

  constructor(private readonly world: World) {
    const everybody = [...world.people, ...world.bystanders];
    this.toldBefore = new Map(everybody.map((person) => [person, new Map(person.presenceTold)]));
    this.connectionsBefore = new Map(everybody.map((person) => [person, person.connections]));
    for (const person of world.bystanders) person.leave();
  }

  /** Waits until all is right, at most until 30 s after the end of the disturbance. */
  async judge(endedAt: number): Promise<Violation[]> {
    const wrong = (): Violation[] => checkPresence(this.views(), this.truth());
    while (wrong().length > 0 && performance.now() < endedAt + RIGHT_MS) await delay(POLL_MS);
    const violations = [...wrong(), ...checkStorm(this.views(), this.truth())];
    for (const person of this.world.bystanders) person.comeBack();
    return violations;
  }

  private views(): PresenceView[] {
    return this.world.people
      .filter((person) => person.isConnected)
      .map((person) => ({
        userId: person.userId,
        statuses: person.presence,
        told: this.toldTo(person),
      }));
  }

  private toldTo(person: Person): Map<string, number> {
    const before = this.toldBefore.get(person);
    return new Map(
      [...person.presenceTold].map(([userId, times]) => [userId, times - (before?.get(userId) ?? 0)]),
    );
  }

  private truth(): PresenceTruth {
    const everybody = [...this.connectionsBefore];
    return {
      connected: new Set(everybody.filter(([{ isConnected }]) => isConnected).map(([{ userId }]) => userId)),
      reconnections: new Map(
        everybody.map(([person, before]) => [person.userId, person.connections - before]),
      ),
    };
  }
}
