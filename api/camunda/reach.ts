import { NAMESPACE_SCOPE, type Scope } from '../../domain/batch/scope.ts';
import type { Reach } from '../../services/executions/select-executions.ts';
import type { ApiContext } from '../http/context.ts';

/** The executions that the caller's requests can access: those of a tenant, or all of the namespace if the request is the operator's. */
export const reachOf = (c: ApiContext): Reach => (c.var.actsOnNamespace ? null : c.var.scope);

/** The scope of the caller's batches. */
export const ownerOf = (c: ApiContext): Scope => (c.var.actsOnNamespace ? NAMESPACE_SCOPE : c.var.scope);
