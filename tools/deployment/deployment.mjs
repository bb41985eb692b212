// `npm run test:compose`, `npm run test:kubernetes`: builds what changed, then runs src/main.ts with the arguments.
import { join } from 'node:path';
import { become, prepare, trustOwnAuthority, workspace } from '../local/prepare.mjs';

await prepare();
const args = process.argv.slice(2);
// The authority that Compose's own certificates come from.
await become('tools/deployment/dist/main.js', args, await trustOwnAuthority(args, join(workspace, 'docker')));
