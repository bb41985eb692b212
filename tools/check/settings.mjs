// Whether an environment is what an app's configuration schema demands: nothing missing, nothing unknown, every value right.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const require = createRequire(import.meta.url);
const { loadConfig } = require(join(workspace, 'libs/service/dist/index.js'));

/** What the image sets by itself, and Node reads. */
export const IMAGE_ENVIRONMENT = { HOST: '0.0.0.0', PORT: '3000' };

/** In place of the schema's examples where an environment demands encryption. */
const ENCRYPTED = {
  DATABASE_URL: 'postgres://user:password@postgres/parley?sslmode=verify-full',
  REDIS_URL: 'rediss://redis:6379',
  AMQP_URL: 'amqps://user:password@rabbitmq:5671',
};

/** The schema of an app: the one object schema that its `config.ts` exports. */
export function schemaOf(app) {
  const exported = require(join(workspace, 'apps', app, 'dist/config.js'));
  return exported.schema ?? exported.configSchema;
}

/**
 * Findings about `environment`, name to text, as a deployment gives it to `app`, and the configuration it comes to. For what
 * only a file holds, the schema's example stands in, or the default.
 */
export function checkEnvironment(app, environment) {
  const schema = schemaOf(app);
  const given = {};
  const findings = [];
  const examples = environment.TLS_REQUIRED === 'true' ? ENCRYPTED : {};
  for (const [name, value] of Object.entries(environment)) {
    const inFile = name.endsWith('_FILE') ? schema.shape[name.slice(0, -'_FILE'.length)]?.meta() : undefined;
    const field = schema.shape[name];
    const secret = name.slice(0, -'_FILE'.length);
    if (inFile?.secret) given[secret] = examples[secret] ?? inFile.example;
    else if (!field) findings.push(`${name} is no setting of ${app}, or no secret`);
    else if (field.meta()?.secret) findings.push(`${name} stands there openly; give ${name}_FILE`);
    else if (!inFile) given[name] = String(value);
  }
  try {
    return { findings, config: loadConfig(schema, { ...IMAGE_ENVIRONMENT, ...given }) };
  } catch (error) {
    return { findings: [...findings, error.message] };
  }
}

/** `20s`, `1m`, `500ms` in milliseconds. */
export function milliseconds(text) {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(text ?? '') ?? [];
  return Number(number) * { ms: 1, s: 1000, m: 60_000 }[unit];
}
