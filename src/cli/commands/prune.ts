import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { readConfig } from "../../node/config.ts";
import { nodeCrypto } from "../../node/crypto_native.ts";
import { databasePath, openHome } from "../../node/home.ts";
import { pruneDatabase } from "../../node/prune.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { ProgressBar, sizeText } from "../progress_bar.ts";

const ABOUT = `
A running node prunes by its settings keep_history and keep_blocks, in the background. This does it
at once and gives the space back to the disk. What is deleted here is gone: neither a query nor a
rollback reaches those heights again.
`;

interface PruneFlags {
  keepHistory?: string;
  keepBlocks?: string;
}

/** `settled prune` */
export function pruneCommand(io: Io): Command {
  return new Command("prune")
    .description("delete old history and blocks and shrink the database; the node must be stopped")
    .option("--keep-history <blocks>", "a number or all (default: the setting of the home)")
    .option("--keep-blocks <blocks>", "a number from 1 or all (default: the setting of the home)")
    .addHelpText("after", ABOUT + examples("prune", "prune --keep-history 1000 --keep-blocks 1000"))
    .action(async (flags: PruneFlags, self: Command) => {
      const { home, format } = contextOf(io, self);
      const { keepHistory, keepBlocks } = flags;
      const config = await readConfig(home, { keepHistory, keepBlocks });
      const before = await folderBytes(databasePath(home));
      const open = await openHome(home, config, undefined);
      const bar = new ProgressBar(io);
      let kept: Awaited<ReturnType<typeof pruneDatabase>>;
      try {
        kept = await pruneDatabase(open.db, nodeCrypto().hasher, config, (progress) =>
          bar.update(progress.done, progress.total, progress.step),
        );
      } finally {
        bar.clear();
        await open.close();
      }
      const after = await folderBytes(databasePath(home));
      const result = {
        earliest_history: kept.history,
        earliest_block: kept.block,
        ...{ bytes_before: before, bytes_after: after },
      };
      printResult(io, format, result, () =>
        [
          `history from height ${kept.history}, blocks from height ${kept.block}`,
          `database: ${sizeText(before)} before, ${sizeText(after)} after`,
        ].join("\n"),
      );
    });
}

/** Bytes of the files of a folder; 0 where it is absent. */
async function folderBytes(path: string): Promise<number> {
  const names = await readdir(path).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => stat(join(path, name)).then(({ size }) => size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
