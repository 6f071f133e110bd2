import { createReadStream } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import type { CheckpointFile } from "../types/application.ts";
import type { NodeLog } from "./log.ts";

const READ_BYTES = 4 * 1024 * 1024;

/**
 * The saved commitment as a file. It is written beside the old one, which it replaces when it is
 * whole on disk; a failure costs the next start some seconds and is only reported.
 */
export function checkpointFile(path: string, log: NodeLog): CheckpointFile {
  return {
    read: async () => {
      const isThere = await stat(path).then(
        () => true,
        () => false,
      );
      return isThere ? piecesOf(path, log) : undefined;
    },
    write: async (pieces) => {
      try {
        await replaceFile(path, pieces);
      } catch (error) {
        log.warn("the checkpoint could not be written: the next start takes longer", {
          path,
          error: textOf(error),
        });
      }
    },
  };
}

/** What can be read of a file: one that cannot be read to its end is torn, like any other. */
async function* piecesOf(path: string, log: NodeLog): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: READ_BYTES });
  try {
    yield* stream;
  } catch (error) {
    log.warn("the checkpoint cannot be read", { path, error: textOf(error) });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function replaceFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    for await (const piece of pieces) await file.write(piece);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}
