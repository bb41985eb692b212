import 'reflect-metadata';
import { loadConfig } from '@parley/service';
import { storeSchema } from './config';
import { replayParked } from './feed/parked.replay';
import { storeOf } from './store';

/**
 * `node dist/replay-parked.js [CONVERSATION_ID]` tries parked events again and says what became of each, one JSON line
 * per event. Ends with 1 when some stay parked.
 */
async function main(conversationId: string | undefined): Promise<void> {
  const config = loadConfig(storeSchema);
  const { feed, close } = await storeOf(config).open(config);
  try {
    const outcomes = await replayParked(feed, conversationId);
    for (const outcome of outcomes) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    if (outcomes.some(({ reason }) => reason !== undefined)) process.exitCode = 1;
  } finally {
    await close();
  }
}

void main(process.argv[2]);
