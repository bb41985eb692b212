import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ParleyError, limits } from '@parley/contracts';
import { Public, SERVICE_CONFIG } from '@parley/service';
import type { Response } from 'express';
import type { AuthConfig } from '../config';
import { documentsPage, type OpenApi } from './documents.page';

/** What anybody may know of the deployment: its limits, and the documents of its interface. */
@Public()
@Controller()
export class DocumentsController {
  constructor(@Inject(SERVICE_CONFIG) private readonly config: AuthConfig) {}

  @Get('v1/limits')
  limits() {
    return limits;
  }

  @Get('docs')
  async page(@Res() response: Response): Promise<void> {
    const openApi = JSON.parse(await this.read('openapi.json')) as OpenApi;
    // The page needs no script and no other address, so it is allowed none.
    response.setHeader('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
    response.type('html').send(documentsPage(openApi));
  }

  @Get('docs/openapi.json')
  async openApi(@Res() response: Response): Promise<void> {
    response.type('json').send(await this.read('openapi.json'));
  }

  @Get('docs/asyncapi.json')
  async asyncApi(@Res() response: Response): Promise<void> {
    response.type('json').send(await this.read('asyncapi.json'));
  }

  private async read(name: string): Promise<string> {
    try {
      return await readFile(join(this.config.DOCUMENTS_DIR, name), 'utf8');
    } catch {
      throw new ParleyError('not_found', `This deployment comes without ${name}.`);
    }
  }
}
