import {
  AccessTokens,
  type Circle,
  circlesOf,
  createCircle,
  mapBounded,
  type Person,
  registerPeople,
  requestJson,
  type System,
} from '@parley/tool-load';
import type { AppInstance, AppName } from '@parley/tool-local';
import { Crowds } from './crowd/crowds';
import type { Database } from './measure/database';
import { peopleFor, type WidthOptions } from './options';

/** People in a group; each is in so many. A group's message then has fifty readers. */
const GROUP_SIZE = 50;
const GROUPS_EACH = 10;
const CREATE_PARALLEL = 8;

/** A running system with many people, and what the parts share of it. */
export class Stage {
  private groups?: Promise<Circle[]>;

  private constructor(
    readonly system: System,
    readonly options: WidthOptions,
    readonly people: readonly Person[],
    readonly tokens: AccessTokens,
    readonly database: Database,
    readonly say: (line: string) => void,
  ) {}

  static async set(
    system: System,
    options: WidthOptions,
    database: Database,
    say: (line: string) => void,
  ): Promise<Stage> {
    const count = peopleFor(options);
    say(`Registering ${count} people; each password takes a core for 20 ms`);
    const people = await registerPeople(system.apps.of('auth')[0]?.url ?? '', count);
    return new Stage(system, options, people, new AccessTokens(system.keys.privateFile), database, say);
  }

  readonly tokenOf = ({ userId, sessionId }: Person): string => this.tokens.sign(userId, sessionId);

  instance(app: AppName, index = 0): AppInstance {
    const instance = this.system.apps.of(app)[index];
    if (!instance) throw new Error(`There is no ${app}-${index + 1}.`);
    return instance;
  }

  /** Person `index`; there are as many as the options ask for. */
  person(index: number): Person {
    const person = this.people[index];
    if (!person) throw new Error(`There is no person ${index}.`);
    return person;
  }

  crowds(sockets: number): Crowds {
    return new Crowds(sockets, this.system.keys.privateFile);
  }

  /** Groups of fifty, ten for each person. Made once. */
  circles(): Promise<Circle[]> {
    this.groups ??= this.makeGroups();
    return this.groups;
  }

  /** Asks an app straight, as a person. */
  async ask<T>(person: Person, method: string, app: AppName, path: string, body?: object): Promise<T> {
    return requestJson<T>(method, `${this.instance(app).url}${path}`, {
      accessToken: this.tokenOf(person),
      ...(body ? { body } : {}),
    });
  }

  /** Statements that joining sockets caused since the last `database.reset()`. */
  async joinStatements(): Promise<number> {
    const parts = [
      'order by last_activity_at desc',
      'select conversation_id from memberships m where user_id = $1 and role',
    ];
    return (await this.database.used(...parts)).calls;
  }

  private async makeGroups(): Promise<Circle[]> {
    const rounds = Array.from({ length: GROUPS_EACH }, (_, round) =>
      // Other neighbours in each round.
      circlesOf(strided(this.people, 1 + 2 * round), GROUP_SIZE),
    ).flat();
    this.say(`Creating ${rounds.length} groups of ${GROUP_SIZE}`);
    return mapBounded(rounds, CREATE_PARALLEL, (members) =>
      createCircle(this.instance('messaging').url, 'group', members, this.tokenOf),
    );
  }
}

/** The same items in steps of about `stride`, so that those who were neighbours are not. */
function strided<T>(items: readonly T[], stride: number): T[] {
  return Array.from({ length: stride }, (_, offset) =>
    items.filter((_, index) => index % stride === offset),
  ).flat();
}
