import { ParleyError } from '@parley/contracts';
import { ConfigError, databaseConfig, isBackingServiceAway, loadConfig } from '@parley/service';
import type { Pool } from 'pg';
import { type Options, readOptions, usage, UsageError } from './parked.options';
import { withDatabase, withReplay } from './parked.session';
import { type Parked, ParkedStore, type Place } from './parked.store';

/** Exit codes. */
const exits = {
  done: 0,
  /** Events stay parked, or the one that was named is not parked. */
  undone: 1,
  /** The command line or the configuration is wrong: nothing was tried. */
  misused: 2,
  /** A server is away: what was not said to be done was not done. */
  unavailable: 3,
} as const;

/** Where a command speaks: one JSON object for each line of the answer, sentences about trouble. */
export interface Voice {
  say(answer: object): void;
  complain(text: string): void;
}

/** Of one partition so many are tried in one go. */
const EVENTS_MAX = 10_000;

/** Carries out the command that `usage` describes. Never rejects for what an operator can mend. Returns the exit code. */
export async function parkedEvents(
  args: string[],
  environment: NodeJS.ProcessEnv,
  voice: Voice,
): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.verb === 'replay') return await replay(options.place, environment, voice);
    const config = loadConfig(databaseConfig, environment);
    return await withDatabase(config, (pool) => lookOrDiscard(options, pool, voice));
  } catch (error) {
    if (error instanceof UsageError) voice.complain(`${error.message}\n${usage}`);
    else if (error instanceof ConfigError) voice.complain(error.message);
    else if (error instanceof ParleyError) voice.complain(error.message);
    else if (isBackingServiceAway(error))
      voice.complain(`PostgreSQL is away or too slow (${causeOf(error)}).`);
    else throw error;
    return error instanceof UsageError || error instanceof ConfigError ? exits.misused : exits.unavailable;
  }
}

async function lookOrDiscard(
  options: Exclude<Options, { verb: 'replay' }>,
  pool: Pool,
  voice: Voice,
): Promise<number> {
  const store = new ParkedStore(pool);
  if (options.verb === 'list') {
    voice.say(await store.totals());
    for (const event of await store.list(options.limit)) voice.say(described(event));
    return exits.done;
  }
  const discarded = await store.discard(options.place);
  for (const event of discarded) voice.say({ ...described(event), discarded: true });
  return discarded.length > 0 ? exits.done : notParked(options.place, voice);
}

function replay(place: Place | undefined, environment: NodeJS.ProcessEnv, voice: Voice): Promise<number> {
  return withReplay(
    environment,
    (text) => voice.complain(text),
    async (store, parked) => {
      let stay = 0;
      for (const partition of place ? [place.partition] : await store.partitions()) {
        const events = place ? await store.at(place) : await store.ofPartition(partition, EVENTS_MAX);
        if (place && events.length === 0) return notParked(place, voice);
        for await (const [event, outcome] of parked.run(partition, events)) {
          const { kind, conversationId, attempts } = event;
          const of = { event: nameOf(event), kind, conversationId };
          if ('entries' in outcome) voice.say({ ...of, applied: true, entries: outcome.entries });
          else {
            stay += 1;
            voice.say({ ...of, applied: false, reason: outcome.reason, attempts: attempts + 1 });
          }
        }
      }
      return stay > 0 ? exits.undone : exits.done;
    },
  );
}

function notParked(place: Place, voice: Voice): number {
  voice.complain(`${nameOf(place)} is not parked.`);
  return exits.undone;
}

function described({ partition, position, ...rest }: Parked): object {
  return { event: nameOf({ partition, position }), ...rest };
}

function nameOf({ partition, position }: Place): string {
  return `${partition}/${position}`;
}

/** The code, or else the words; nothing of what was asked. */
function causeOf(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  return code ?? message;
}
