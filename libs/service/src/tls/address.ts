import { z } from 'zod';

/** The servers that apps connect to, by the beginning of their settings' names. */
export const tlsServers = ['DATABASE', 'REDIS', 'AMQP', 'MONGODB'] as const;
export type TlsServer = (typeof tlsServers)[number];

interface Custom {
  scheme: RegExp;
  schemeProblem: string;
  /** How an address asks for encryption. */
  isEncrypted(url: URL): boolean;
  /** What to write to get it, for errors. */
  advice: string;
}

const customs: Record<TlsServer, Custom> = {
  DATABASE: {
    scheme: /^postgres(ql)?:\/\//,
    schemeProblem: 'must be a postgres:// address',
    isEncrypted: ({ searchParams }) => searchParams.get('sslmode') === 'verify-full',
    advice: 'sslmode=verify-full',
  },
  REDIS: {
    scheme: /^rediss?:\/\//,
    schemeProblem: 'must be a redis:// or rediss:// address',
    isEncrypted: ({ protocol }) => protocol === 'rediss:',
    advice: 'rediss://',
  },
  AMQP: {
    scheme: /^amqps?:\/\//,
    schemeProblem: 'must be an amqp:// or amqps:// address',
    isEncrypted: ({ protocol }) => protocol === 'amqps:',
    advice: 'amqps://',
  },
  MONGODB: {
    scheme: /^mongodb(\+srv)?:\/\//,
    schemeProblem: 'must be a mongodb:// address',
    // The +srv scheme implies encryption unless it is told otherwise.
    isEncrypted: ({ protocol, searchParams }) =>
      (searchParams.get('tls') ?? String(protocol === 'mongodb+srv:')) === 'true',
    advice: 'tls=true',
  },
};

/** Parameters by which one driver or another weakens or configures TLS, some of which others pass over in silence. */
const suspicious = /tls|ssl|cert|verify|authori[sz]ed|insecure|server_name_indication|libpq/i;

/**
 * What an address may not say of MongoDB's writes and reads, in lower case, since the driver takes either; with the value
 * that is ours anyway and does no harm. The driver lets some of these go before what a program says: see `mongoOptions`.
 */
const mongoConcerns = new Map([
  ['w', 'majority'],
  ['j', 'true'],
  ['journal', 'true'],
  ['fsync', undefined],
  ['wtimeout', undefined],
  ['wtimeoutms', undefined],
  ['writeconcern', undefined],
  ['readconcern', undefined],
  ['readconcernlevel', 'majority'],
  ['readpreference', 'primary'],
  ['readpreferencetags', undefined],
  ['maxstalenessseconds', undefined],
]);

/**
 * The address of one server as a setting. There are two ways to connect: openly, or encrypted with the certificate and
 * the host name checked. Every parameter that means something in between, or that names files which a driver would
 * read only once, is refused by name; so is what would make MongoDB's writes less durable, or its reads less sure.
 */
export function addressOf(server: TlsServer) {
  const { scheme, schemeProblem } = customs[server];
  return z
    .string()
    .regex(scheme, schemeProblem)
    .superRefine((text, context) => {
      for (const message of addressProblems(server, text)) context.addIssue({ code: 'custom', message });
    });
}

function addressProblems(server: TlsServer, text: string): string[] {
  const url = parse(text);
  // What is no URL with one host (a list of hosts, a socket's path) is the driver's to judge; its query is ours.
  return [...url.searchParams].flatMap(([name, value]) => {
    if (server === 'MONGODB' && weakens(name, value))
      return [
        `${name}=${value} is not supported: writes are acknowledged by the journals of a majority, reads show what a majority ` +
          'has, from the primary',
      ];
    if (!suspicious.test(name) || isUnderstood(server, name, value)) return [];
    if (/file|sslrootcert|sslcert|sslkey|sslpassword/i.test(name))
      return [
        `${name} does not stand in the address: ${server}_CA_FILE, ${server}_CERT_FILE and ${server}_KEY_FILE do`,
      ];
    return [
      `${name}=${value} is not supported: connections are either open, or encrypted with the certificate and the host name ` +
        `checked, which is ${customs[server].advice}`,
    ];
  });
}

function weakens(name: string, value: string): boolean {
  const concern = name.toLowerCase();
  return mongoConcerns.has(concern) && mongoConcerns.get(concern) !== value;
}

function isUnderstood(server: TlsServer, name: string, value: string): boolean {
  if (server === 'DATABASE') return name === 'sslmode' && ['verify-full', 'disable'].includes(value);
  return server === 'MONGODB' && name === 'tls' && ['true', 'false'].includes(value);
}

/** Whether an address asks for encryption. */
export function isEncrypted(server: TlsServer, text: string): boolean {
  return customs[server].isEncrypted(parse(text));
}

/** What an address must say to ask for encryption. */
export function encryptionAdvice(server: TlsServer): string {
  return customs[server].advice;
}

/** The address without its own words on encryption, for a driver that is told about it otherwise. */
export function withoutSslMode(text: string): string {
  const cut = text.indexOf('?');
  if (cut < 0) return text;
  const query = new URLSearchParams(text.slice(cut + 1));
  query.delete('sslmode');
  const rest = query.toString();
  return text.slice(0, cut) + (rest && `?${rest}`);
}

/** A list of hosts, as MongoDB has it, is no URL: only scheme and query matter here. */
function parse(text: string): URL {
  const [scheme = ''] = text.split('://', 1);
  const cut = text.indexOf('?');
  return new URL(`${scheme}://host/${cut < 0 ? '' : text.slice(cut)}`);
}
