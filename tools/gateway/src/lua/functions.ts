import { createHash } from 'node:crypto';
import type { KongDocument } from '../config/entity.schema';
import type { PluginEntry } from '../config/plugin.schema';
import type { Plugin } from '../plugins/plugin';
import { markProblem, writeProblem } from './problem';
import { keepEncrypted } from './transport-security';
import { forgetBucket, prepareRequest } from './request';

type FunctionEntry = Extract<PluginEntry, { name: 'pre-function' | 'post-function' }>;
type Effect = Pick<Plugin, 'access' | 'headerFilter' | 'bodyFilter'>;

/**
 * The stand-in runs no Lua. It knows each function of kong.yml by the SHA-256 of its text (without the white space
 * around it) and does the same in TypeScript. A changed text is refused, so the two cannot drift apart unnoticed.
 */
const known: Record<string, Effect | ((text: string) => Effect)> = {
  // Nothing: a comment, with which the conformance suite shows a plugin without the functions before it.
  c80d8747021d6c0de35fab341c015515a7974f74087e5b53dedc5bd0aaa38766: { access: () => undefined },
  '0251382654ac5dd726b9279ba24cf063a26897b65d78e0af760c2530ed228beb': { access: prepareRequest },
  '988ad3ca5e49db43c10f140ed19e332afc6336db15fa2decd297e461e5bbfee2': { access: forgetBucket },
  '1201c0b217f72c9f48b99eca8cadd4463e5101ae8052b0230381d22d45bec8c1': { headerFilter: markProblem },
  '1218cc761d0b65adb58ab686265b010888414f14ecb439b204736124ee6d2e31': keepEncrypted,
  '9c5bfd16be0b9d359be7e1f8f0751111c34f444e2a378fb222ce0c650fc87d81': { bodyFilter: writeProblem },
};

/** A number that the render command fills in, on a line of its own, counts as any. */
function hashOf(text: string): string {
  const shape = text.trim().replace(/^(local seconds = )\d+$/m, '$1N');
  return createHash('sha256').update(shape).digest('hex');
}

function effectOf(text: string): Effect | undefined {
  const effect = known[hashOf(text)];
  return typeof effect === 'function' ? effect(text) : effect;
}

const phases = [
  ['access', 'access'],
  ['header_filter', 'headerFilter'],
  ['body_filter', 'bodyFilter'],
] as const;

/** One sentence per function whose text is not known. */
export function assertKnownFunctions(document: KongDocument): string[] {
  const routes = [...document.routes, ...document.services.flatMap((service) => service.routes)];
  const plugins = [
    ...document.plugins,
    ...document.services.flatMap((s) => s.plugins),
    ...routes.flatMap((r) => r.plugins),
  ];
  return plugins
    .filter(isFunction)
    .flatMap(({ name, config }) =>
      phases.flatMap(([field, phase]) =>
        config[field]
          .filter((text) => !effectOf(text)?.[phase])
          .map(
            (text) =>
              `${name}.${field}: the stand-in runs no Lua and does not know this text (sha256 ${hashOf(text)}); ` +
              'write what it does in tools/gateway/src/lua and list its hash in functions.ts',
          ),
      ),
    );
}

function isFunction(plugin: PluginEntry): plugin is FunctionEntry {
  return plugin.name === 'pre-function' || plugin.name === 'post-function';
}

export class FunctionPlugin implements Plugin {
  readonly name: 'pre-function' | 'post-function';
  readonly access?: Plugin['access'];
  readonly headerFilter?: Plugin['headerFilter'];
  readonly bodyFilter?: Plugin['bodyFilter'];

  constructor({ name, config }: FunctionEntry) {
    this.name = name;
    const effects = (field: keyof FunctionEntry['config']) => config[field].map((text) => effectOf(text)!);
    const access = effects('access').map((effect) => effect.access!);
    const header = effects('header_filter').map((effect) => effect.headerFilter!);
    const body = effects('body_filter').map((effect) => effect.bodyFilter!);
    if (access.length > 0)
      this.access = (exchange) => {
        for (const run of access) void run(exchange);
        return undefined;
      };
    if (header.length > 0)
      this.headerFilter = (exchange, head) => header.forEach((run) => run(exchange, head));
    if (body.length > 0)
      this.bodyFilter = (exchange, head, text) => body.reduce((now, run) => run(exchange, head, now), text);
  }
}
