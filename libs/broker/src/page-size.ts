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

  /** Asks for a page of the present size, and learns from what becomes of it. @throws what `question` throws */
  async ask<Page extends { rows: unknown[] }>(question: (limit: number) => Promise<Page>): Promise<Page> {
    try {
      const page = await question(this.current);
      this.answered(page.rows.length);
      return page;
    } catch (error) {
      this.failed();
      throw error;
    }
  }

  /** So many came; a short page says nothing about how many could have. */
  private answered(rows: number): void {
    if (rows < this.current || ++this.full < GROW_AFTER) return;
    this.full = 0;
    this.current = Math.min(this.maxRows, this.current * 2);
  }

  private failed(): void {
    this.full = 0;
    this.current = Math.max(MIN_ROWS, Math.floor(this.current / 2));
  }
}
