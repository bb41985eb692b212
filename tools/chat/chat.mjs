// `npm run chat -- --as alice`: a terminal client, on libs/client alone.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { become, prepare, workspace } from '../local/prepare.mjs';

const program = 'tools/chat/dist/main.js';
// Where `npm start` runs, everything is built already.
if (!existsSync(join(workspace, program))) await prepare();
await become(program, process.argv.slice(2), trust());

/** Where `npm start -- --tls` runs, its authority is trusted; Node reads that once, at its start. */
function trust() {
  const running = join(process.env.PARLEY_RUN_DIR ?? join(workspace, '.local'), 'running.json');
  if (process.env.NODE_EXTRA_CA_CERTS || !existsSync(running)) return {};
  const { ca } = JSON.parse(readFileSync(running, 'utf8'));
  return ca ? { NODE_EXTRA_CA_CERTS: ca } : {};
}
