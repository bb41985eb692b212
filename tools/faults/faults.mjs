// `npm run faults`: builds what changed, then breaks things. Arguments go to src/main.ts.
import { become, prepare, trustOwnAuthority } from '../local/prepare.mjs';

await prepare();
const args = process.argv.slice(2);
await become('tools/faults/dist/main.js', args, await trustOwnAuthority(args));
