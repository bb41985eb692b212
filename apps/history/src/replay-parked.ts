import 'reflect-metadata';
import { databaseConfig, loadConfig, typeormOptions } from '@parley/service';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseSettings } from './database';
import { replayParked } from './feed/parked.replay';
import { openFeedStore } from './store';

/**
 * `node dist/replay-parked.js [CONVERSATION_ID]` tries parked events again and says what became of each, one JSON line
 * per event. Ends with 1 when some stay parked.
 */
async function main(conversationId: string | undefined): Promise<void> {
  const dataSource = new DataSource(
    typeormOptions(databaseSettings(loadConfig(databaseConfig))) as DataSourceOptions,
  );
  await dataSource.initialize();
  try {
    const outcomes = await replayParked(openFeedStore(dataSource), conversationId);
    for (const outcome of outcomes) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    if (outcomes.some(({ reason }) => reason !== undefined)) process.exitCode = 1;
  } finally {
    await dataSource.destroy();
  }
}

void main(process.argv[2]);
