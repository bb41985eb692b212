// `npm run bench`: builds what changed, then measures. Arguments go to src/main.ts.
import { become, prepare, trustOwnAuthority } from '../local/prepare.mjs';

await prepare();
const args = process.argv.slice(2);
await become('tools/load/dist/main.js', args, await trustOwnAuthority(args));
