import { Command } from "commander";
import { equalBytes, toHex } from "../../lib/bytes.ts";
import { BlockStore } from "../../node/block_store.ts";
import { readConfig } from "../../node/config.ts";
import { nodeCrypto } from "../../node/crypto_native.ts";
import { type OpenHome, openHome } from "../../node/home.ts";
import { rollBack } from "../../node/rollback.ts";
import { CliError, usageError } from "../cli_error.ts";
import { type Context, contextOf } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { loadOpenApp } from "../open_app.ts";
import { printResult } from "../output.ts";
import { ProgressBar } from "../progress_bar.ts";

const ABOUT = `
State, blocks, results and indexes above the height are deleted for good, and the chain goes on from
there with other blocks. The validator then signs a second block of heights that it has signed:
followers of the chain may take that for fraud. A rollback that is cut short is finished at the next
start.
`;

/** `settled rollback` */
export function rollbackCommand(io: Io): Command {
  return new Command("rollback")
    .description("take a chain back to an earlier height; the node must be stopped")
    .requiredOption("--to <height>", "the height that becomes the latest")
    .option("--yes", "do not ask")
    .addHelpText(
      "after",
      ABOUT + examples("rollback --to 1200", "rollback --to 1200 --yes -o json"),
    )
    .action(async (flags: { to: string; yes?: boolean }, self: Command) => {
      const context = contextOf(io, self);
      const target = parseTarget(flags.to);
      const config = await readConfig(context.home);
      const open = await openHome(context.home, config, undefined);
      try {
        const store = new BlockStore(open.db, nodeCrypto().hasher);
        await store.load();
        const from = store.tip?.latest ?? 0n;
        if (from > target) await confirm(context, flags.yes === true, { from, target });
        await run(context, open, target);
        const appHash = await checked(open, config, target);
        const result = { height: target, from, app_hash: toHex(appHash).toUpperCase() };
        printResult(io, context.format, result);
      } finally {
        await open.close();
      }
    });
}

function parseTarget(text: string): bigint {
  if (/^[0-9]{1,15}$/.test(text)) return BigInt(text);
  throw usageError(`--to: expected a block height, found "${text}"`);
}

async function confirm(
  { io }: Context,
  isSure: boolean,
  { from, target }: { from: bigint; target: bigint },
): Promise<void> {
  if (isSure) return;
  if (!io.interactive) throw usageError("rollback deletes blocks for good: add --yes");
  const answer = await io.prompt(`delete blocks ${target + 1n} to ${from} for good? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CliError(EXIT.other, "not_confirmed", "nothing was changed");
  }
}

async function run({ io }: Context, { db }: OpenHome, target: bigint): Promise<void> {
  const bar = new ProgressBar(io);
  try {
    await rollBack(db, nodeCrypto().hasher, target, ({ blocks, total }) =>
      bar.update(blocks, total, `${blocks} of ${total} blocks taken back`),
    );
  } finally {
    bar.clear();
  }
}

/** Hashes the state and compares it with what the block of that height recorded. */
async function checked(
  { db, genesis }: OpenHome,
  config: Awaited<ReturnType<typeof readConfig>>,
  target: bigint,
): Promise<Uint8Array> {
  const crypto = nodeCrypto();
  const openApp = await loadOpenApp();
  const app = await openApp({ db, crypto, config, genesis: genesis.doc });
  await app.close();
  const { appHash } = app.info();
  const store = new BlockStore(db, crypto.hasher);
  await store.load();
  const recorded = (await store.outcome(target))?.appHash;
  if (recorded === undefined || equalBytes(recorded, appHash)) return appHash;
  const message = `the state is now of app hash ${toHex(appHash)}, but block ${target} recorded ${toHex(recorded)}`;
  throw new CliError(EXIT.invariant, "invariant", message);
}
