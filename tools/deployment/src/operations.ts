import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const OPERATIONS = resolve(__dirname, '../../../docs/operations.md');
/** The overlay that its commands name. */
const OVERLAY = 'k8s/overlays/production';

/** The shell functions that docs/operations.md begins with, as they stand there. */
export function operatorsFunctions(): string {
  return found(/^```sh\n(parley\(\) [^]*?)^```/m, 'begin with its functions');
}

/** The commands of its upgrade in Kubernetes, as they stand there, for this overlay. */
export function upgradeInKubernetes(overlay: string): string {
  const commands = found(/^## Upgrade$[^]*?^```sh\n(kparley [^]*?)^```/m, 'upgrade Kubernetes');
  return commands.replaceAll(OVERLAY, overlay);
}

function found(block: RegExp, what: string): string {
  const [, commands] = block.exec(readFileSync(OPERATIONS, 'utf8')) ?? [];
  if (commands === undefined) throw new Error(`docs/operations.md does not ${what}.`);
  return commands;
}
