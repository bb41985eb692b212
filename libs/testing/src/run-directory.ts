/** What `jest/run-directory.js` gives, which runs before anything is compiled. */
interface RunDirectory {
  makeRunDirectory(): string;
  endRun(dir: string, options?: { stopTimeoutMs?: number }): Promise<void>;
}

export const { endRun, makeRunDirectory } = jest.requireActual<RunDirectory>('../jest/run-directory.js');
