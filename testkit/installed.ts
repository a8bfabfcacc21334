/** Identifies a Drover: its servers, and its database and task queue on them. */
export interface Installed {
  readonly mongodbUri: string;
  readonly temporalAddress: string;
  /** Name of its database and of its task queue. */
  readonly name: string;
  /** Further configuration. */
  readonly environment?: Readonly<NodeJS.ProcessEnv>;
}

/** The configuration of its processes. */
export const environmentFor = ({ mongodbUri, temporalAddress, name, environment }: Installed) => ({
  MONGODB_URI: mongodbUri,
  MONGODB_DATABASE: name,
  TEMPORAL_ADDRESS: temporalAddress,
  TEMPORAL_TASK_QUEUE: name,
  ...environment,
});
