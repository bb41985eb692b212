// `npm run chat -- --as alice`: a terminal client, on libs/client alone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { become, prepare, workspace } from '../local/prepare.mjs';

const program = 'tools/chat/dist/main.js';
// Where `npm start` runs, everything is built already.
if (!existsSync(join(workspace, program))) prepare();
become(program, process.argv.slice(2));
