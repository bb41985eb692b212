// Custom resources are checked against the schemas that their operators publish. Those lie in the operators' Go modules,
// whose checksums Go verifies; without Go, or without the modules, the caller is told which kinds went unchecked.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findGo } from './go.mjs';

const require = createRequire(import.meta.url);
const { default: Ajv } = require('ajv');

/** Group of the API, to the module that publishes its schemas and the folder there. */
const OPERATORS = {
  'monitoring.coreos.com': {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    folder: 'example/prometheus-operator-crd',
  },
  'external-secrets.io': {
    module: 'github.com/external-secrets/external-secrets@v1.3.2',
    folder: 'config/crds/bases',
  },
  'cert-manager.io': { module: 'github.com/cert-manager/cert-manager@v1.21.2', folder: 'deploy/crds' },
  'postgresql.cnpg.io': {
    module: 'github.com/cloudnative-pg/cloudnative-pg@v1.25.0',
    folder: 'config/crd/bases',
  },
  'rabbitmq.com': { module: 'github.com/rabbitmq/cluster-operator/v2@v2.9.0', folder: 'config/crd/bases' },
  'databases.spotahome.com': {
    module: 'github.com/spotahome/redis-operator@v1.2.4',
    folder: 'manifests/kustomize/base',
  },
  'mongodbcommunity.mongodb.com': {
    module: 'github.com/mongodb/mongodb-kubernetes-operator@v0.13.0',
    folder: 'config/crd/bases',
  },
};

const groupOf = (object) => (object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '');

export const isCustom = (object) => groupOf(object) in OPERATORS;

/**
 * `items` are `{id, value}`. Returns findings as `{id, message}`, and the kinds that could not be checked with the reason.
 */
export function checkCustomResources(items) {
  const findings = [];
  const skipped = new Map();
  const go = findGo();
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false, code: { regExp: pattern } });
  const known = new Map();
  for (const group of new Set(items.map(({ value }) => groupOf(value)))) {
    const { schemas, problem } = go
      ? schemasOf(go, OPERATORS[group])
      : { problem: 'Go is not installed', schemas: new Map() };
    if (problem) skipped.set(group, problem);
    for (const [key, schema] of schemas) known.set(`${group}/${key}`, schema);
  }
  const validators = new Map();
  for (const { id, value } of items) {
    if (skipped.has(groupOf(value))) continue;
    const key = `${value.apiVersion}/${value.kind}`;
    if (!known.has(key)) {
      findings.push({ id, message: `${value.apiVersion} knows no ${value.kind}` });
      continue;
    }
    const validate = validators.get(key) ?? ajv.compile(closed(known.get(key)));
    validators.set(key, validate);
    if (!validate(value))
      for (const { instancePath, message, params } of validate.errors)
        findings.push({ id, message: `${instancePath} ${message} ${JSON.stringify(params)}` });
  }
  return { findings, skipped: [...skipped].map(([group, problem]) => `${group} (${problem})`) };
}

/** Go writes the flag for upper and lower case into the pattern. */
function pattern(text) {
  return text.includes('(?i)') ? new RegExp(text.replaceAll('(?i)', ''), 'i') : new RegExp(text);
}
pattern.code = 'new RegExp';

function schemasOf(go, { module, folder }) {
  const { stdout } = spawnSync(go, ['mod', 'download', '-json', module], {
    cwd: tmpdir(),
    encoding: 'utf8',
    env: { ...process.env, GO111MODULE: 'on', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' },
    timeout: 120_000,
  });
  const { Dir, Error: problem } = stdout ? JSON.parse(stdout) : { Error: 'no answer' };
  if (!Dir || !existsSync(join(Dir, folder))) return { schemas: new Map(), problem: `${module}: ${problem}` };
  const schemas = new Map();
  for (const file of readdirSync(join(Dir, folder)).filter((name) => name.endsWith('.yaml')))
    for (const document of parseAllDocuments(readFileSync(join(Dir, folder, file), 'utf8'))) {
      const { kind, spec } = document.toJS() ?? {};
      if (kind !== 'CustomResourceDefinition') continue;
      for (const { name, schema } of spec.versions)
        schemas.set(`${name}/${spec.names.kind}`, schema.openAPIV3Schema);
    }
  return { schemas };
}

/** Kubernetes drops fields that a schema does not name; here they are misspelt ones, and errors. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = { ...schema };
  for (const name of ['items', 'additionalProperties', 'not'])
    if (copy[name]) copy[name] = closed(copy[name]);
  for (const name of ['allOf', 'anyOf', 'oneOf']) if (copy[name]) copy[name] = copy[name].map(constraint);
  if (copy.properties)
    copy.properties = Object.fromEntries(
      Object.entries(copy.properties).map(([name, property]) => [name, closed(property)]),
    );
  if (copy['x-kubernetes-int-or-string']) copy.type = ['integer', 'string'];
  const isOpen = copy['x-kubernetes-preserve-unknown-fields'] || copy.additionalProperties !== undefined;
  if (copy.properties && !isOpen) copy.additionalProperties = false;
  // Kubernetes takes a null for a field that is not there.
  if (copy.nullable && typeof copy.type === 'string') copy.type = [copy.type, 'null'];
  return copy;
}

/** Within alternatives a schema only narrows what the outer one names. */
function constraint(schema) {
  return schema['x-kubernetes-int-or-string'] ? { ...schema, type: ['integer', 'string'] } : schema;
}
