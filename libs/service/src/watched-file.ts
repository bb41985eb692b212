import { unwatchFile, watchFile } from 'node:fs';

const pollMs = 1000;

const watched = new Set<() => void>();

/**
 * Calls back within about a second of a change of the file, and whenever `reloadFiles` is called. The path is looked at
 * again and again, since mounted secrets and config maps are replaced by swapping a link. Returns what ends that.
 */
export function watchSettingsFile(path: string, onChange: () => void): () => void {
  // Of its own, so that two may watch with the same function.
  const call = () => onChange();
  watchFile(path, { interval: pollMs, persistent: false }, call);
  watched.add(call);
  return () => {
    unwatchFile(path, call);
    watched.delete(call);
  };
}

/** Reads every watched file again: what SIGHUP asks for. */
export function reloadFiles(): void {
  for (const call of [...watched]) call();
}
