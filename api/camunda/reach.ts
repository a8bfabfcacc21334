import { NAMESPACE_SCOPE, type Scope } from '../../domain/batch/scope.ts';
import type { Reach } from '../../services/executions/select-executions.ts';
import type { ApiContext } from '../http/context.ts';

/** What the caller's requests reach: a tenant's executions, or all of the namespace where the request is the operator's. */
export const reachOf = (c: ApiContext): Reach => (c.var.actsOnNamespace ? null : c.var.scope);

/** Whose batches the caller's are. */
export const ownerOf = (c: ApiContext): Scope => (c.var.actsOnNamespace ? NAMESPACE_SCOPE : c.var.scope);
