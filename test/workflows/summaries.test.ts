import { expect, test } from 'vitest';
import { batchSummaries } from '../../workflows/summaries.ts';

const id = { batchId: 'b', run: 1 };
const upload = batchSummaries({ operation: 'upload', schemaName: 'parcel', total: 3 });

test('a summary says what an activity does, to how many items of which schema; numbers agree', () => {
  expect(upload.plan()).toBe('plan upload: 3 items of parcel');
  expect(upload.apply({ ...id, indexes: [2, 0, 7] })).toBe('upload 3 items of parcel (indexes 0 to 7)');
  expect(upload.apply({ ...id, indexes: [4], requeuesBlocked: true })).toBe(
    'upload 1 pending item of parcel (index 4)',
  );
  expect(upload.check({ ...id, indexes: [1, 2] })).toBe('check missing references of 2 pending items of parcel');
  expect(upload.expire({ ...id, indexes: [1] })).toBe('expire 1 pending item of parcel (index 1)');
  expect(upload.deleteStep({ ...id, step: 3 }, 1)).toBe('delete 1 item of parcel (step 3)');
  expect(upload.deleteStep({ ...id, step: 3 }, 0)).toBe('delete cascaded resources (step 3)');
  expect(upload.record({ ...id, status: 'processing', suspended: true })).toBe('store batch status: suspended');
});

test('a termination counts executions', () => {
  const terminate = batchSummaries({ operation: 'terminate', schemaName: 'process instances', total: 1 });
  expect(terminate.finish()).toBe('finish terminate: 1 execution');
  expect(terminate.apply({ ...id, indexes: [0, 1] })).toBe('terminate 2 executions (indexes 0 to 1)');
});

test('a summary is at most 200 characters, however long the name of the schema is', () => {
  const { length } = batchSummaries({ operation: 'upload', schemaName: 'x'.repeat(300), total: 1 }).plan();
  expect(length).toBe(200);
});
