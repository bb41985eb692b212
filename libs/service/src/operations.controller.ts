import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Public } from './access-token.guard';
import { HealthRegistry } from './health';
import { metricsRegistry } from './metrics';

/** What operators and orchestrators ask. The gateway routes none of it to the outside. */
@Public()
@Controller()
export class OperationsController {
  constructor(@Inject(HealthRegistry) private readonly health: HealthRegistry) {}

  /** The process runs. It says nothing of its dependencies: restarting us would not mend those. */
  @Get('health/live')
  live() {
    return { status: 'ok' };
  }

  /** 200 while this instance should get work, 503 while it should not. */
  @Get('health/ready')
  async ready(@Res() response: Response): Promise<void> {
    const report = await this.health.report();
    const fit = report.status === 'ok' || report.status === 'degraded';
    response.status(fit ? 200 : 503).json(report);
  }

  @Get('metrics')
  async metrics(@Res() response: Response): Promise<void> {
    response.type(metricsRegistry.contentType).send(await metricsRegistry.metrics());
  }
}
