import { read } from '../harness/repository.ts';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
/** Packages of others: path below the root -> what the lock file says. */
export const packages = Object.entries(lock.packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);

/** The name of a package by its path. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Packages that do not say it in the usual place, by a sentence of their own licence file. */
export const UNDECLARED: Readonly<Record<string, readonly [licence: string, sentence: string]>> = {
  unionfs: ['Unlicense', 'This is free and unencumbered software released into the public domain.'],
  'world-countries': ['ODbL-1.0', 'ODC Open Database License (ODbL)'],
};
