import type { JsonSchema } from './schemas';

/** What each half of the document brings. */
export interface AsyncParts {
  channels: Record<string, JsonSchema>;
  operations: Record<string, JsonSchema>;
  schemas: Record<string, JsonSchema>;
}
