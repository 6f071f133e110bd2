import process from "node:process";
import type { ChildMessage } from "./messages.ts";

/** Tells the process that started this one. */
export function tell(message: ChildMessage): void {
  // A parent that has let go of this process no longer listens.
  if (process.connected) process.send?.(message);
}

/**
 * Runs what a child process is for: its value goes to the parent, or why it failed. When the
 * parent is gone before that, the process ends, unless it waits for just that.
 */
export async function runChild(
  work: (input: never) => Promise<unknown>,
  options: { readonly endsWithParent?: boolean } = {},
): Promise<void> {
  const end = () => process.exit(1);
  if (options.endsWithParent !== false) process.once("disconnect", end);
  try {
    const value = await work(JSON.parse(process.argv[2] ?? "null") as never);
    tell({ type: "value", value: value ?? null });
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ type: "failed", why });
  }
  process.off("disconnect", end);
  if (process.connected) process.disconnect();
}
