import { access } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { toHex } from "../../lib/bytes.ts";
import { configPath, readConfig, resolveConfig, writeConfig } from "../../node/config.ts";
import { nodeCrypto } from "../../node/crypto_native.ts";
import { genesisPath } from "../../node/genesis_file.ts";
import { openDatabase, openHome } from "../../node/home.ts";
import { createSnapshot } from "../../node/snapshot_create.ts";
import {
  type ListedSnapshot,
  listSnapshots,
  snapshotAt,
  snapshotsPath,
} from "../../node/snapshot_files.ts";
import { type RestoreProgress, restoreSnapshot } from "../../node/snapshot_restore.ts";
import { validatorKeyPath } from "../../node/validator_key.ts";
import { formatTime } from "../../types/time.ts";
import { usageError } from "../cli_error.ts";
import { type Context, contextOf } from "../context.ts";
import { examples } from "../help.ts";
import { readHomeChain } from "../home.ts";
import type { Io } from "../io.ts";
import { loadOpenApp } from "../open_app.ts";
import { printList, printResult } from "../output.ts";
import { ProgressBar, sizeText } from "../progress_bar.ts";

const ABOUT = `
A snapshot is one file: the state of one height, its block, and the genesis. It holds no key: a
restored node goes on with the chain when the validator's config/priv_validator_key.json is put into
its home. Never run two nodes with one validator key. See docs/guides/snapshots.md.
`;

const DB_CACHE_BYTES = 32 * 1024 * 1024;

/** `settled snapshot …` */
export function snapshotCommand(io: Io): Command {
  return new Command("snapshot")
    .description("the state of one height as a file, for another machine")
    .addHelpText("after", ABOUT)
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(restoreCommand(io));
}

function createCommand(io: Io): Command {
  return new Command("create")
    .description("write a snapshot; the node must be stopped")
    .option("--height <number>", "a height that is kept (default: the latest)")
    .option("--to <dir>", "folder to write it to (default: snapshots in the home)")
    .addHelpText("after", examples("snapshot create", "snapshot create --height 1200 --to /backup"))
    .action(async (flags: { height?: string; to?: string }, self: Command) => {
      const context = contextOf(io, self);
      const created = await create(context, heightOf(flags.height), flags.to);
      const { header, path, chunks, keys, bytes, resumedChunks } = created;
      printResult(io, context.format, {
        file: path,
        height: header.height,
        app_hash: toHex(header.appHash).toUpperCase(),
        ...{ keys, chunks, bytes, resumed_chunks: resumedChunks },
      });
    });
}

async function create({ io, home }: Context, height: bigint, to: string | undefined) {
  const open = await openHome(home, await readConfig(home), undefined);
  const bar = new ProgressBar(io);
  try {
    return await createSnapshot({
      db: open.db,
      hasher: nodeCrypto().hasher,
      chainId: open.genesis.doc.chainId,
      genesisPath: genesisPath(home),
      height,
      folder: to === undefined ? snapshotsPath(home) : resolve(to),
      onProgress: ({ keys, bytes, chunks }) =>
        bar.update(0, 0, `${keys} keys, ${sizeText(bytes)} in ${chunks} chunks`),
    });
  } finally {
    bar.clear();
    await open.close();
  }
}

function listCommand(io: Io): Command {
  return new Command("list")
    .description("list the snapshots of a folder")
    .argument("[dir]", "folder (default: snapshots in the home)")
    .addHelpText("after", examples("snapshot list", "snapshot list /backup -o json"))
    .action(async (dir: string | undefined, _flags: object, self: Command) => {
      const { home, format } = contextOf(io, self);
      const folder = dir === undefined ? snapshotsPath(home) : resolve(dir);
      const rows = (await listSnapshots(folder, nodeCrypto().hasher)).map(rowOf);
      printList(io, format, rows, [
        { title: "file", text: ({ file }) => basename(file) },
        { title: "height", text: ({ height }) => height, right: true },
        { title: "size", text: ({ bytes }) => sizeText(bytes), right: true },
        { title: "keys", text: ({ keys }) => keys, right: true },
        { title: "date", text: ({ date }) => date },
        { title: "app hash", text: ({ app_hash, fault }) => fault ?? app_hash },
      ]);
    });
}

function rowOf({ path, bytes, header, end, fault }: ListedSnapshot) {
  return {
    file: path,
    height: header?.height.toString() ?? "",
    bytes,
    keys: end?.keyCount.toString() ?? "",
    date: header === undefined ? "" : formatTime(header.time),
    app_hash: header === undefined ? "" : toHex(header.appHash).toUpperCase(),
    ...(fault === undefined ? {} : { fault }),
  };
}

function restoreCommand(io: Io): Command {
  return new Command("restore")
    .description("make the home of a node of a snapshot: --home names it, and it must be new")
    .argument("<file>", "a snapshot, or a folder, of which the highest is taken")
    .addHelpText("after", examples("snapshot restore chain-1200.snapshot --home ./copy"))
    .action(async (file: string, _flags: object, self: Command) => {
      const context = contextOf(io, self);
      const { home } = context;
      const restored = await restore(context, file);
      const { chainId, height, appHash, keys, resumedChunks } = restored;
      printResult(io, context.format, {
        ...{ home, chain_id: chainId, height, app_hash: toHex(appHash).toUpperCase(), keys },
        resumed_chunks: resumedChunks,
      });
      const key = validatorKeyPath(home);
      if (context.format === "json" || (await isThere(key))) return;
      io.err(`next: put the validator's key into ${key}, then settled start --home ${home}\n`);
    });
}

async function restore({ io, home }: Context, given: string) {
  const crypto = nodeCrypto();
  const file = await snapshotAt(resolve(given), crypto.hasher);
  const bar = new ProgressBar(io);
  const onProgress = ({ step, done, total }: RestoreProgress) => {
    const text = step === "hash" ? `: ${done} of ${total} keys` : `: ${sizeText(done)}`;
    bar.update(done, total, STEPS[step] + (step === "check" ? " look-ups and queues" : text));
  };
  // A price in another denom than the chain's would keep the application from opening.
  const config = resolveConfig({}, { minimumGasPrice: "0", keepHistory: "all" });
  try {
    const openApp = await loadOpenApp();
    const openDb = async (path: string) => openDatabase(path, DB_CACHE_BYTES);
    const input = { file, home, config, crypto, openDb, openApp, onProgress };
    const restored = await restoreSnapshot(input);
    if (!(await isThere(configPath(home)))) {
      const { denom } = await readHomeChain(home);
      await writeConfig(home, resolveConfig({}, { minimumGasPrice: `0.025${denom}` }));
    }
    return restored;
  } finally {
    bar.clear();
  }
}

const STEPS = {
  verify: "verifying",
  restore: "restoring",
  hash: "hashing",
  check: "checking",
} as const;

function heightOf(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw usageError(`--height: expected a block height, found "${text}"`);
  }
  return BigInt(text);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
