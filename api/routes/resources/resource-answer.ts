import type { Resource } from '../../../domain/write/resource.ts';

/** A resource as an answer has it. */
export const toAnswer = ({ createdAt, updatedAt, ...resource }: Resource) => ({
  ...resource,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt.toISOString(),
});
