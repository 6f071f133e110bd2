import { setTimeout as sleep } from "node:timers/promises";

/** How long a busy machine may take for what must happen, in milliseconds. */
export const PATIENCE_MS = 30_000;

/** Waits until something is so. @throws Error that says what it waited for, after PATIENCE_MS */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`waited too long for ${what}`);
    await sleep(2);
  }
}
