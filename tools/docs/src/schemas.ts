import * as contracts from '@parley/contracts';
import { z } from 'zod';

export type JsonSchema = Record<string, unknown>;
type Direction = 'input' | 'output';

const wholeNumber = { type: 'integer', minimum: 0 };

/**
 * Exported schemas are known by their names: `sendMessageBody` is the component `SendMessageBody`. Values of a query
 * string (`queryIds`) stand in their parameter.
 */
function namesOfContracts(): Map<z.ZodType, string> {
  const named = Object.entries(contracts as Record<string, unknown>).filter(
    (entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType && !entry[0].startsWith('query'),
  );
  return new Map(named.map(([name, schema]) => [schema, name.charAt(0).toUpperCase() + name.slice(1)]));
}

/**
 * JSON Schemas for one document, from zod. Schemas that contracts export become components, which others refer to; the
 * rest stands where it is used. What is sent and what is received may differ, so each direction has its own component
 * where it does.
 */
export class Schemas {
  private readonly names = namesOfContracts();
  private readonly components = new Map<string, JsonSchema>();

  of(schema: z.ZodType, direction: Direction): JsonSchema {
    const name = this.names.get(schema);
    return name === undefined ? this.convert(schema, direction) : this.refer(name, schema, direction);
  }

  /** The parameters of an object schema whose values travel as text. */
  parameters(schema: z.ZodType, place: 'path' | 'query'): JsonSchema[] {
    if (!(schema instanceof z.ZodObject)) throw new Error(`The parameters in the ${place} are no object.`);
    return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => {
      const isRequired = !field.isOptional();
      const json = this.convert(field, 'output');
      const list = json['type'] === 'array' ? { style: 'form', explode: false } : {};
      const { description, ...rest } = json;
      return {
        name,
        in: place,
        required: isRequired,
        ...(description ? { description } : {}),
        ...list,
        schema: rest,
      };
    });
  }

  /** Every component that something refers to, by name. */
  all(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.components].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private refer(name: string, schema: z.ZodType, direction: Direction): JsonSchema {
    const json = this.convert(schema, direction);
    const text = JSON.stringify(json);
    for (const candidate of [name, `${name}Sent`]) {
      const known = this.components.get(candidate);
      if (!known) this.components.set(candidate, json);
      if (!known || JSON.stringify(known) === text) return { $ref: `#/components/schemas/${candidate}` };
    }
    throw new Error(`${name} has more than two forms.`);
  }

  private convert(root: z.ZodType, io: Direction): JsonSchema {
    const json = z.toJSONSchema(root, {
      io,
      target: 'draft-2020-12',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        const schema = zodSchema as unknown as z.ZodType;
        const name = schema === root ? undefined : this.names.get(schema);
        if (schema === contracts.queryCounter) replace(jsonSchema, wholeNumber);
        else if (name !== undefined) replace(jsonSchema, this.refer(name, schema, io));
        else if (schema instanceof z.ZodPipe && schema.in === contracts.queryCounter) {
          replace(jsonSchema, { ...jsonSchema, type: 'integer' });
        }
        // Answers may grow; only what is sent is closed.
        if (io === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties;
      },
    }) as JsonSchema;
    delete json['$schema'];
    return json;
  }
}

function replace(target: object, by: object): void {
  const copy = { ...by };
  for (const key of Object.keys(target)) delete (target as JsonSchema)[key];
  Object.assign(target, copy);
}
