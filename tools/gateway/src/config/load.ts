import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { assertKnownFunctions } from '../lua/functions';
import { documentSchema, type KongDocument } from './entity.schema';
import { ConfigError } from './errors';
import { pluginNames } from './plugin.schema';

/** Reads and checks a rendered kong.yml. Throws `ConfigError`, which names every field that the stand-in does not know. */
export async function loadConfig(file: string): Promise<KongDocument> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [`cannot be read: ${(error as Error).message}`]);
  }
  return parseConfig(text, file);
}

export function parseConfig(text: string, source: string): KongDocument {
  const yaml = parseDocument(text, { version: '1.1', merge: false });
  if (yaml.errors.length > 0)
    throw new ConfigError(
      source,
      yaml.errors.map((error) => error.message),
    );
  const placeholder = /\$\{[A-Z_]+\}/.exec(text.replace(/^\s*#.*$/gm, ''));
  if (placeholder)
    throw new ConfigError(source, [`${placeholder[0]} is not filled in; render the file first`]);

  const parsed = documentSchema.safeParse(yaml.toJS());
  if (!parsed.success) throw new ConfigError(source, parsed.error.issues.flatMap(describe));
  const problems = [
    ...findDuplicates(parsed.data),
    ...findBadKeys(parsed.data),
    ...assertKnownFunctions(parsed.data),
  ];
  if (problems.length > 0) throw new ConfigError(source, problems);
  return parsed.data;
}

function describe(issue: z.core.$ZodIssue): string[] {
  const at = (keys: PropertyKey[]) =>
    keys
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, '');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${at([...issue.path, key])}: the stand-in does not know this field`);
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'name')
    return [`${at(issue.path)}: the stand-in does not know this plugin; it knows ${pluginNames.join(', ')}`];
  return [`${at(issue.path) || 'the document'}: ${issue.message}`];
}

function findDuplicates(document: KongDocument): string[] {
  const routes = [...document.routes, ...document.services.flatMap((service) => service.routes)];
  const named = { upstream: document.upstreams, service: document.services, route: routes };
  return Object.entries(named).flatMap(([kind, entries]) => {
    const names = entries.map((entry) => entry.name);
    return names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `two ${kind}s are named ${name}`);
  });
}

/** Kong notices an unreadable key only at the first token; here it is refused at once. */
function findBadKeys(document: KongDocument): string[] {
  const credentials = document.consumers.flatMap((consumer) => consumer.jwt_secrets);
  const keys = credentials.map((credential) => credential.key);
  const twice = keys
    .filter((key, index) => keys.indexOf(key) !== index)
    .map((key) => `two jwt_secrets have key ${key}`);
  const unreadable = credentials.flatMap(({ key, rsa_public_key }) => {
    try {
      createPublicKey(rsa_public_key);
      return [];
    } catch (error) {
      return [`jwt_secrets ${key}: rsa_public_key is no PEM public key (${(error as Error).message})`];
    }
  });
  return [...twice, ...unreadable];
}
