const MIN_ROWS = 25;

/**
 * How many rows to ask of the log at once. A store may be too slow to answer many in the time of one question, and would be
 * asked for them again for ever: each failure halves the number, each answer adds a little.
 */
export class PageSize {
  private current: number;

  constructor(private readonly maxRows: number) {
    this.current = maxRows;
  }

  get rows(): number {
    return this.current;
  }

  answered(): void {
    this.current = Math.min(this.maxRows, this.current + MIN_ROWS);
  }

  failed(): void {
    this.current = Math.max(MIN_ROWS, Math.floor(this.current / 2));
  }
}
