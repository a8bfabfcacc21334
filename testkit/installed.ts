/** Which Drover: its servers, and what is its own on them. */
export interface Installed {
  readonly mongodbUri: string;
  readonly temporalAddress: string;
  /** Of its database and its task queue. */
  readonly name: string;
  /** Configuration beside that. */
  readonly environment?: Readonly<NodeJS.ProcessEnv>;
}

/** What its processes are configured by. */
export const environmentFor = ({ mongodbUri, temporalAddress, name, environment }: Installed) => ({
  MONGODB_URI: mongodbUri,
  MONGODB_DATABASE: name,
  TEMPORAL_ADDRESS: temporalAddress,
  TEMPORAL_TASK_QUEUE: name,
  ...environment,
});
