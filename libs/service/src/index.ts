export * from './access-token.guard';
export { buildIndex, dropIndex } from './build-index';
export * from './broker';
export * from './config';
export * from './context';
export {
  connectAll,
  type DatabaseSettings,
  databaseTimeouts,
  isCancelled,
  pgPool,
  readAgain,
  typeormOptions,
} from './database';
export { DatabaseModule } from './database.module';
export { runMigrations } from './database-migrations';
export * from './errors';
export { dropFormerEpoch, type FedTables, ROWS_PER_STEP } from './former-epoch';
export * from './health';
export * from './keys';
export * from './logging';
export * from './metrics';
export { connectMongo, MONGO_CONNECTION, mongoCheck, MongoModule } from './mongo/module';
export type { MongoSettings } from './mongo/connection';
export type { MongoMigration } from './mongo/migration';
export { runMongoMigrations } from './mongo/migrations';
export { type CollectionPlan, type MongoKind, mongoKind, MongoSchema } from './mongo/schema';
export { parkedGauge } from './parked.gauge';
export * from './problem.filter';
export { RecentMap } from './recent';
export * from './redis';
export * from './run-migration';
export * from './run-service';
export * from './service.module';
export * from './tls';
export * from './token';
export { activeSpan, endSpan, enterContext, startSpan, traceparentOf } from './tracing';
export { TurnBatch } from './turn-batch';
export * from './validation';
export { watchSettingsFile } from './watched-file';
export { within } from './within';
