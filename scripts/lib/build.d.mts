/** Every file under a folder of the project, as sorted paths from the root. */
export function filesUnder(folder: string): string[];

/** Compiles src to dist if a source has changed since the last build; whether the compiler ran. */
export function buildIfNeeded(options?: {
  note?: (line: string) => void;
  force?: boolean;
}): Promise<boolean>;
