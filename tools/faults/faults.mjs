// `npm run faults`: builds what changed, then breaks things. Arguments go to src/main.ts.
import { become, prepare } from '../local/prepare.mjs';

await prepare();
await become('tools/faults/dist/main.js', process.argv.slice(2));
