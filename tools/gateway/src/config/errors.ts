/** A configuration that cannot be run. `problems` holds one sentence per place, each naming the field it means. */
export class ConfigError extends Error {
  constructor(
    source: string,
    readonly problems: string[],
  ) {
    super(`${source} cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}
