import { type DynamicModule, Module } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseCheck, type DatabaseSettings, typeormOptions } from './database';
import { requireMigrations } from './database-migrations';
import { HealthRegistry } from './health';

const DATABASE_CHECK = Symbol('DATABASE_CHECK');

/**
 * A pool of connections to PostgreSQL, injected as `getDataSourceToken(name)`. The start waits for the server, however long that
 * takes, and fails where migrations are missing; the end closes the pool after the importing module has ended.
 */
@Module({})
export class DatabaseModule {
  /** @param name of a pool beside the app's own. The own one alone is part of readiness: it asks the same server. */
  static forRoot(settings: DatabaseSettings, name?: string): DynamicModule {
    const own = {
      provide: DATABASE_CHECK,
      inject: [HealthRegistry, getDataSourceToken()],
      useFactory: (health: HealthRegistry, source: DataSource) =>
        health.register('database', databaseCheck(source)),
    };
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          name,
          useFactory: () => ({ ...typeormOptions(settings), name }),
          dataSourceFactory: (options) => openMigrated(options!),
        }),
      ],
      providers: name === undefined ? [own] : [],
    };
  }
}

async function openMigrated(options: DataSourceOptions): Promise<DataSource> {
  const source = await new DataSource(options).initialize();
  try {
    await requireMigrations(source);
  } catch (error) {
    await source.destroy();
    throw error;
  }
  return source;
}
