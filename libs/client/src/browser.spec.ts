import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build, type BuildResult } from 'esbuild';

/** What a page has and this client may use. Nothing of Node is among it. */
function browserGlobals() {
  return {
    AbortController,
    AbortSignal,
    clearInterval,
    clearTimeout,
    console,
    crypto,
    queueMicrotask,
    setInterval,
    setTimeout,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    location: { protocol: 'https:', hostname: 'example.com', port: '' },
  };
}

describe('in a browser', () => {
  let bundle: BuildResult<{ write: false; metafile: true }>;
  beforeAll(async () => {
    bundle = await build({
      entryPoints: [join(__dirname, 'index.ts')],
      bundle: true,
      write: false,
      metafile: true,
      minify: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'parley',
      conditions: ['@parley/source'],
      logLevel: 'silent',
    });
  });

  it('is bundled without a warning, without a validator and without anything of Node', () => {
    expect(bundle.warnings).toEqual([]);
    const [output] = Object.values(bundle.metafile.outputs);
    const used = Object.entries(output!.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path);
    expect(used.filter((path) => /node_modules\/zod|node:/.test(path))).toEqual([]);
  });

  it.each(['document', 'WorkerGlobalScope'])(
    'signs in and asks for a ticket to connect with (%s)',
    async (has) => {
      const asked: string[] = [];
      const context = createContext({
        ...browserGlobals(),
        [has]: {},
        fetch: (url: string, init: RequestInit) => {
          asked.push(`${init.method} ${url}`);
          const tokens = { tokenType: 'Bearer', accessToken: 'a', refreshToken: 'r', expiresIn: 600 };
          const body = url.endsWith('/login') ? { user: { id: 'u' }, tokens } : { code: 'forbidden' };
          return Promise.resolve(
            new Response(JSON.stringify(body), { status: url.endsWith('/login') ? 200 : 403 }),
          );
        },
      });
      runInContext(bundle.outputFiles[0]!.text, context);
      const done = runInContext(
        `(async () => {
        const client = new parley.ParleyClient({ url: 'https://example.com' });
        await client.login({ login: 'alice', password: 'secret' });
        const waiting = client.realtime.once('status', ({ state }) => state === 'waiting');
        client.connect().catch(() => undefined);
        await waiting;
        await client.close();
      })()`,
        context,
      ) as Promise<void>;
      await done;
      expect(asked).toEqual([
        'POST https://example.com/v1/auth/login',
        'POST https://example.com/v1/auth/realtime-tickets',
      ]);
    },
  );
});
