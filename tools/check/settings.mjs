// Whether an environment is what an app's configuration schema demands: nothing missing, nothing unknown, every value right.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const require = createRequire(import.meta.url);
const { loadConfig } = require(join(workspace, 'libs/service/dist/index.js'));

/** What the image sets by itself, and Node reads. */
export const IMAGE_ENVIRONMENT = { HOST: '0.0.0.0', PORT: '3000' };

/** Stands in for what only a secret's file holds; of the right shape. */
const SAMPLES = {
  DATABASE_URL: 'postgres://user:password@postgres/parley',
  REDIS_URL: 'redis://redis:6379',
  AMQP_URL: 'amqp://user:password@rabbitmq:5672',
};

/** The schema of an app: the one object schema that its `config.ts` exports. */
export function schemaOf(app) {
  const exported = require(join(workspace, 'apps', app, 'dist/config.js'));
  return exported.schema ?? exported.configSchema;
}

/**
 * Findings about `environment`, name to text, as a deployment gives it to `app`, and the configuration it comes to.
 * `X_FILE` counts as X where the schema has no such name of its own.
 */
export function checkEnvironment(app, environment) {
  const schema = schemaOf(app);
  const known = new Set(Object.keys(schema.shape));
  const given = {};
  const findings = [];
  for (const [name, value] of Object.entries(environment)) {
    const secret = !known.has(name) && name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : undefined;
    if (!known.has(secret ?? name)) findings.push(`${name} is no setting of ${app}`);
    else if (secret && !SAMPLES[secret]) findings.push(`${name}: ${secret} is no secret`);
    else if (!secret && SAMPLES[name]) findings.push(`${name} stands there openly; give ${name}_FILE`);
    else given[secret ?? name] = secret ? SAMPLES[secret] : String(value);
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
