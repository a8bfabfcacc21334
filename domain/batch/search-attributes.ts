/** Search attributes that Drover registers, all of type Keyword: lists in the Temporal UI and the Camunda façade filter by them. */
export const SEARCH_ATTRIBUTES = {
  platform: 'DroverPlatform',
  tenant: 'DroverTenant',
  schema: 'DroverSchema',
  operation: 'DroverOperation',
  status: 'DroverStatus',
} as const;

/** Value of `DroverStatus` while a batch is suspended. */
export const SUSPENDED_STATUS = 'suspended';
