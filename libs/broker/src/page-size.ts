const MIN_ROWS = 25;
/** So many full pages in a row, and a larger one is tried. */
const GROW_AFTER = 8;

/**
 * How many rows to ask of the log at once. A store may be too slow to answer many in the time of one question, and would be
 * asked for them again for ever: each failure halves the number. It doubles again after some full pages.
 */
export class PageSize {
  private current: number;
  private full = 0;

  constructor(private readonly maxRows: number) {
    this.current = maxRows;
  }

  get rows(): number {
    return this.current;
  }

  /** So many came; a short page says nothing about how many could have. */
  answered(rows: number): void {
    if (rows < this.current || ++this.full < GROW_AFTER) return;
    this.full = 0;
    this.current = Math.min(this.maxRows, this.current * 2);
  }

  failed(): void {
    this.full = 0;
    this.current = Math.max(MIN_ROWS, Math.floor(this.current / 2));
  }
}
