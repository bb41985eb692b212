import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One envelope as a release wrote it, and where it was published; `exchange` is empty for a queue. */
export interface RecordedEnvelope {
  kind: string;
  exchange: string;
  key: string;
  body: string;
}

/** What `npm run record:envelopes` wrote down of a running system. */
export interface Recording {
  /** The commit whose apps ran. */
  from: string;
  /** The events are those of this group's lane, from the first row of each partition on. */
  conversationId: string;
  envelopes: RecordedEnvelope[];
}

/** The envelopes of the release before this one: services must take them. */
export function formerEnvelopes(): Recording {
  return JSON.parse(readFileSync(join(__dirname, '../envelopes/v1.json'), 'utf8')) as Recording;
}
