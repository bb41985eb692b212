import {
  AccessTokens,
  createCircle,
  type Circle,
  type Person as Account,
  registerPeople,
} from '@parley/tool-load';
import type { Stack } from '@parley/tool-local';
import { Person } from '../client/person';

/** A conversation of the load, and what changes in it besides messages. */
export interface Place {
  circle: Circle;
  people: Person[];
  /** Who is removed and added again all the time; none in direct conversations. */
  guest?: Person;
}

export interface World {
  people: Person[];
  /** Are connected and watched by all people, and say nothing. Some faults take them away. */
  bystanders: Person[];
  places: Place[];
}

const PAIRS = 6;
const GROUPS = 4;
const GROUP_SIZE = 5;
const CHANNEL_SIZE = 12;
/** Pairs first, the rest are in no pair; groups and the channel overlap with them. */
const PEOPLE = 24;
const BYSTANDERS = 4;

/** Some tens of people in pairs, groups and a channel, each with a client of his own, connected through the gateway. */
export async function createWorld({ apps, gateway, keys }: Stack): Promise<World> {
  const authUrl = apps.of('auth')[0]?.url ?? '';
  const tokens = new AccessTokens(keys.privateFile);
  const tokenOf = ({ userId, sessionId }: Account): string => tokens.sign(userId, sessionId);
  const registered = await registerPeople(authUrl, PEOPLE + BYSTANDERS);
  const accounts = registered.slice(0, PEOPLE);
  const circles: Circle[] = [];
  const slice = (from: number, size: number): Account[] =>
    Array.from({ length: size }, (_, i) => accounts[(from + i) % PEOPLE] as Account);
  for (let i = 0; i < PAIRS; i++)
    circles.push(await createCircle(gateway.url, 'direct', slice(i * 2, 2), tokenOf));
  for (let i = 0; i < GROUPS; i++)
    circles.push(await createCircle(gateway.url, 'group', slice(i * GROUP_SIZE + 3, GROUP_SIZE), tokenOf));
  circles.push(await createCircle(gateway.url, 'channel', slice(10, CHANNEL_SIZE), tokenOf));
  const personFor = (account: Account): Person =>
    new Person(account.userId, () => tokenOf(account), gateway.url);
  const people = accounts.map(personFor);
  const bystanders = registered.slice(PEOPLE).map(personFor);
  for (const person of people) void person.watch(registered.map(({ userId }) => userId));
  const personOf = ({ userId }: Account): Person => people.find((one) => one.userId === userId) as Person;
  const places = circles.map((circle): Place => {
    const inside = circle.members.map(personOf);
    const guest = inside.at(-1);
    return circle.conversation.type === 'direct' || !guest
      ? { circle, people: inside }
      : { circle, people: inside, guest };
  });
  return { people, bystanders, places };
}
