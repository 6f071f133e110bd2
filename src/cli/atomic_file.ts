import { randomBytes } from "node:crypto";
import { link, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a whole file in one step: a reader sees the old text or the new one, never a part. The
 * file's mode is `mode` from its first byte on, so that secrets are never readable by others.
 * @param overwrite false: fails with EEXIST when there is such a file.
 */
export async function writeFileAtomic(
  path: string,
  text: string,
  options: { mode: number; overwrite: boolean },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", options.mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    if (options.overwrite) await rename(temporary, path);
    else await link(temporary, path);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}
