import { z } from 'zod';
import { encryptionAdvice, isEncrypted, type TlsServer, tlsServers } from './address';

const file = (meaning: string) => z.string().optional().describe(meaning);

const kinds = ['CA', 'CERT', 'KEY'] as const;

/** Settings that hold for every server that has none of its own. */
export const sharedTls = {
  TLS_CA_FILE: file(
    "PEM file of the authorities whose servers are trusted, and nobody else's; without one, those that Node knows. Watched.",
  ),
  TLS_CERT_FILE: file('PEM file of the certificate, with its chain, that is shown to servers. Watched.'),
  TLS_KEY_FILE: file('PEM file of its private key. Watched.'),
  TLS_REQUIRED: z
    .enum(['true', 'false'])
    .optional()
    .describe('`true` refuses to start with a server whose address asks for no encryption.'),
};

/** The files of one server, in place of the shared ones. */
export function tlsFilesOf<Server extends TlsServer>(server: Server) {
  const meanings = {
    CA: `In place of TLS_CA_FILE, for ${server}_URL.`,
    CERT: `In place of TLS_CERT_FILE, for ${server}_URL; comes with ${server}_KEY_FILE.`,
    KEY: `In place of TLS_KEY_FILE, for ${server}_URL.`,
  };
  return Object.fromEntries(kinds.map((kind) => [`${server}_${kind}_FILE`, file(meanings[kind])])) as Record<
    `${Server}_${(typeof kinds)[number]}_FILE`,
    ReturnType<typeof file>
  >;
}

type Given = Readonly<Record<string, unknown>>;

/** A file and the setting that named it. */
export interface NamedFile {
  setting: string;
  path: string;
}

export interface TlsFiles {
  ca?: NamedFile;
  /** Both or neither. */
  cert?: NamedFile;
  key?: NamedFile;
}

/** The files that count for one server. A certificate and its key come from the same place. */
export function filesFor(server: TlsServer, given: Given): TlsFiles {
  const find = (prefix: string, kind: string): NamedFile | undefined => {
    const setting = `${prefix}_${kind}_FILE`;
    const path = given[setting];
    return typeof path === 'string' ? { setting, path } : undefined;
  };
  const identity = find(server, 'CERT') || find(server, 'KEY') ? server : 'TLS';
  return {
    ca: find(server, 'CA') ?? find('TLS', 'CA'),
    cert: find(identity, 'CERT'),
    key: find(identity, 'KEY'),
  };
}

/** What is wrong about encryption between the settings, each problem with the setting's name in front. */
export function tlsProblems(given: Given, environment: NodeJS.ProcessEnv): string[] {
  const problems: string[] = [];
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === '0')
    problems.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: switches off what makes encryption worth anything; unset it',
    );
  if ('DATABASE_URL' in given && environment.PGSSLMODE)
    problems.push('PGSSLMODE: is not read; DATABASE_URL says it, with sslmode=verify-full');
  for (const prefix of [...tlsServers, 'TLS']) {
    const [cert, key] = [`${prefix}_CERT_FILE`, `${prefix}_KEY_FILE`];
    if (given[cert] && !given[key]) problems.push(`${key}: is required beside ${cert}`);
    if (given[key] && !given[cert]) problems.push(`${cert}: is required beside ${key}`);
  }
  for (const server of tlsServers) {
    const name = `${server}_URL`;
    const url = given[name];
    if (typeof url !== 'string' || isEncrypted(server, url)) continue;
    const ask = `write ${encryptionAdvice(server)}`;
    if (given.TLS_REQUIRED === 'true')
      problems.push(`${name}: asks for no encryption, which TLS_REQUIRED demands; ${ask}`);
    for (const kind of kinds)
      if (given[`${server}_${kind}_FILE`])
        problems.push(`${server}_${kind}_FILE: is given, but ${name} asks for no encryption; ${ask}`);
  }
  return problems;
}
