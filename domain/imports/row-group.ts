import type { Column } from './csv.ts';

/** The rows of a batch among those that were read together with them, where each row names its schema definition. */
export interface RowGroup {
  /** Empty of the rows that name no schema definition that there is: they fail. */
  readonly schemaDefinitionId: string;
  readonly schemaName: string;
  readonly externalIdField: string;
  /** How its rows call the schema definition, in lower case; of those that name none, how the rows of all other groups do. */
  readonly names: readonly string[];
  /** Of CSV: how the cells of its rows are read. */
  readonly columns?: readonly Column[];
}

/** Rows that were read together, as far as they are not in batches yet. */
export interface SplitRows<Place> {
  /** How many were read. */
  readonly rows: number;
  /** The groups that are left, which have a batch each. */
  readonly groups: readonly RowGroup[];
  /** Where reading goes on after all of them. */
  readonly end: Place & { readonly line: number; readonly isAtEnd: boolean };
}

export const isOfGroup = ({ schemaDefinitionId, names }: RowGroup, name: string | null): boolean =>
  schemaDefinitionId === '' ? name === null || !names.includes(name) : name !== null && names.includes(name);
