/** Differences between the façade's answers and those of the recorded engine, by name, with their reasons. */
export const ALLOWED: readonly { readonly reason: string; readonly differences: readonly string[] }[] = [
  {
    reason: 'Process instances are workflow executions: they are started by Temporal clients, not through this API.',
    differences: [
      'process-instance.start: status',
      'process-instance.start.unknownKey: body.message',
      'process-instance.start.unknownKey: body.type',
    ],
  },
  {
    reason: 'The jobs of a batch are activities that Temporal dispatches: there is no job resource to list or execute.',
    differences: [
      'delete.ids.duplicates.job.execute: status',
      'delete.ids.duplicates.job.execute #2: status',
      'delete.250.seed.execute: status',
      'delete.250.seed.execute #2: status',
      'delete.250.seed.execute #3: status',
      'delete.250.monitor.list: status',
      'delete.250.monitor.list #2: status',
      'delete.250.monitor.list #3: status',
      'delete.250.job.count: status',
      'delete.250.job.count #2: status',
      'delete.250.job.count #3: status',
    ],
  },
  {
    reason:
      'A seed is planned when the jobs of the one before are done, so jobs are completed before all of them are created.',
    differences: [
      'delete.250.statistics #2: body[0].executionStartTime',
      'delete.250.statistics #2: body[0].remainingJobs',
      'delete.250.statistics #2: body[0].completedJobs',
      'delete.250.statistics #3: body[0].executionStartTime',
      'delete.250.statistics #3: body[0].remainingJobs',
      'delete.250.statistics #3: body[0].completedJobs',
    ],
  },
  {
    reason:
      'A definition id is the workflow type, version 1 and the task queue: no deployment gave it an id of its own.',
    differences: [
      'pi.get.before: body.definitionId',
      'pi.get.between: body.definitionId',
      'pi.get.afterBatchDelete: body.definitionId',
      'hpi.get.after: body.processDefinitionId',
      'hpi.get.after.2: body.processDefinitionId',
    ],
  },
  {
    reason: 'The business key of an execution is its workflow id.',
    differences: [
      'pi.get.before: body.businessKey',
      'pi.get.between: body.businessKey',
      'pi.get.afterBatchDelete: body.businessKey',
      'hpi.get.after: body.businessKey',
      'hpi.get.after.2: body.businessKey',
    ],
  },
  {
    reason: 'A workflow type has no name beside itself.',
    differences: ['hpi.get.after: body.processDefinitionName', 'hpi.get.after.2: body.processDefinitionName'],
  },
  {
    reason: 'A workflow has no start event.',
    differences: ['hpi.get.after: body.startActivityId', 'hpi.get.after.2: body.startActivityId'],
  },
  {
    reason:
      "The engine's message for a body that it cannot read is empty; the façade's message says what is wrong and where.",
    differences: ['delete.malformedJson: body.message', 'delete.ids.string: body.message'],
  },
  {
    reason: 'The recorded engine had run batches that are not among the recordings.',
    differences: ['history.batch.list.all: body.length', 'history.batch.count.all: body.count'],
  },
];
