// `npm run width`: builds what changed, then measures. Arguments go to src/main.ts.
import { become, prepare } from '../local/prepare.mjs';

await prepare();
await become('tools/width/dist/main.js', process.argv.slice(2));
