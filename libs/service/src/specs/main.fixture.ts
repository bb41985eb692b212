import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { Public, baseConfig, loadConfig, runService } from '..';

/** A whole service as a process of its own, for `process.spec.ts`. */
@Public()
@Controller()
class FixtureController {
  @Get('slow')
  slow(): Promise<string> {
    process.stdout.write('under way\n');
    return new Promise((resolve) => setTimeout(() => resolve('done'), 500));
  }

  @Get('stuck')
  stuck(): Promise<string> {
    process.stdout.write('under way\n');
    return new Promise(() => undefined);
  }

  @Get('reject')
  reject(): string {
    void Promise.reject(new Error('nobody handles this'));
    return 'soon';
  }
}

@Module({ controllers: [FixtureController] })
class FixtureModule {}

/** As one whose servers are away. */
const waitForEver = () => {
  process.stdout.write('waits\n');
  return new Promise<void>((resolve) => setTimeout(resolve, 2 ** 31 - 1));
};

void runService({
  name: 'fixture',
  module: FixtureModule,
  config: loadConfig(baseConfig),
  start: process.env['STARTS'] === 'never' ? waitForEver : undefined,
});
