/** Says on the terminal what is being done, with the seconds since the start. */
export class Progress {
  private readonly begin = performance.now();

  step(text: string): void {
    const seconds = ((performance.now() - this.begin) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${seconds} s  ${text}\n`);
  }

  detail(text: string): void {
    process.stdout.write(`          ${text}\n`);
  }
}
