import { type BatchView, type ViewParts, viewBatch } from '../../services/batches/view-batch.ts';
import { type ImportView, viewImport } from '../../services/imports/view-import.ts';
import { type BatchDocument, findBatch } from '../../store/batches/batches.ts';
import { findImport, type ImportDocument } from '../../store/imports/imports.ts';
import { StateEvents } from './state-events.ts';

type Options = ConstructorParameters<typeof StateEvents<BatchDocument, BatchView>>[1];

/** Watches batches. */
export class BatchEvents extends StateEvents<BatchDocument, BatchView> {
  constructor(parts: ViewParts, options?: Options) {
    super(
      {
        find: (scopes, batchId) => findBatch(parts.database, scopes, batchId),
        view: (batch) => viewBatch(parts, batch, false),
        stateOf: ({ source: _, ...state }) => state,
      },
      options,
    );
  }
}

/** Watches imports. */
export class ImportEvents extends StateEvents<ImportDocument, ImportView> {
  constructor(parts: ViewParts, options?: Options) {
    super(
      {
        find: async ([scope], importId) => (scope === undefined ? null : findImport(parts.database, scope, importId)),
        view: (imported) => viewImport(parts, imported),
        stateOf: ({ source: _, rowsPerSecond: _speed, estimatedCompletionAt: _end, ...state }) => state,
      },
      options,
    );
  }
}
