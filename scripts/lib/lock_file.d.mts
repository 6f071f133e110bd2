/** What is wrong with the lock file; empty when it is fine. */
export function lockFileFaults(text?: string): string[];
