import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { buildIfNeeded } from "./lib/build.mjs";
import { installIfNeeded } from "./lib/install.mjs";
import { requireNode } from "./lib/node_version.mjs";
import { numberFlags } from "./lib/number_flags.mjs";
import { inRoot, runMain, UserError } from "./lib/root.mjs";

const HELP = `usage: npm run long -- [--blocks N] [--keep N] [--txs N]

Makes blocks on disk with pruning on and prints how much disk the database takes: a table with a
line every hundredth of the run, and a curve. Fails when the second half takes more than 1.2 times
what the first half took after its first tenth.

The txs fail in their message, so that sequences, blocks, results, index and history are written and
the state does not grow: records of a chain that does more are kept for ever, and are not what
pruning is about. Blocks are written without waiting for the disk (no fsync): this measures space,
not speed.

  --blocks N  blocks to make (default 100000)
  --keep N    heights of history and blocks that are kept (default 1000)
  --txs N     txs of each block (default 2)
  --help      this text
`;

const GROWTH_MAX = 1.2;
/** Blocks between two looks: LevelDB's files grow and shrink within a few hundred. */
const LOOK_EVERY = 20;

const DEFAULTS = { "--blocks": 100_000, "--keep": 1000, "--txs": 2 };

/** Modules of the build, by their path in src without ".ts". */
async function load(path) {
  const folder = process.env.SETTLED_DIST ?? inRoot("dist");
  return import(pathToFileURL(join(folder, `${path}.js`)).href);
}

/** A database whose writes do not wait for the disk. */
function unsynced(db) {
  const batch = () => {
    const inner = db.batch();
    return {
      put: (key, value) => inner.put(key, value),
      putVersioned: (key, value, height) => inner.putVersioned(key, value, height),
      del: (key) => inner.del(key),
      write: () => inner.write({ sync: false }),
    };
  };
  return new Proxy(db, {
    get(target, name) {
      if (name === "batch") return batch;
      if (name === "write") return (ops) => target.write(ops, { sync: false });
      const member = target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** A chain on disk and a function that makes its next block. */
async function openChain(path, { keep, txs: txCount }) {
  const { openLevelDb } = await load("store/leveldb");
  const { openApp } = await load("app/app");
  const { nodeCrypto } = await load("node/crypto_native");
  const { BlockStore, blockOps, earliestKept, genesisOps } = await load("node/block_store");
  const { buildBlock } = await load("node/engine/build_block");
  const { newSigningKey, validatorAddress } = await load("node/validator_key");
  const { PruneLoop } = await load("node/prune_loop");
  const { newGenesis } = await load("cli/genesis");
  const { parseGenesis } = await load("node/genesis_file");
  const { resultsHash } = await load("node/comet/results_hash");
  const signer = await newSigner();
  const db = unsynced(await openLevelDb(path));
  const genesis = newGenesis({
    ...{ chainId: "long-1", genesisTime: 1_767_225_600_000_000_000n, bech32Prefix: "ve" },
    ...{ bondDenom: "uve", dev: true, authority: signer.address },
    accounts: [{ address: signer.address, coins: [{ denom: "uve", amount: 1_000_000n }] }],
  });
  const { doc } = parseGenesis(genesis);
  const crypto = nodeCrypto();
  const app = await openApp({ db, crypto, genesis: doc, minimumGasPrice: 0n, keepHistory: keep });
  app.initChain(doc);
  await app.commit(genesisOps(new Uint8Array(32)));
  const store = new BlockStore(db, crypto.hasher);
  const failures = [];
  const log = { debug() {}, info() {}, warn() {}, error: (text, facts) => failures.push(facts) };
  const pruning = new PruneLoop({ db, hasher: crypto.hasher, store, log });
  pruning.start();
  const key = newSigningKey();
  const hash = new Uint8Array(32);
  const chain = { chainId: "long-1", key, validatorsHash: hash, consensusHash: hash };
  const proposer = validatorAddress(key.publicKey);
  const sign = await txMaker(signer);
  let [last, lastResultsHash] = [undefined, resultsHash([])];
  const next = async () => {
    if (failures.length > 0) throw new UserError(`pruning has stopped: ${failures[0].error}`);
    const before = app.info();
    const [height, time] = [before.height + 1n, before.time + 1_000_000_000n];
    const txs = Array.from({ length: txCount }, sign).map((tx) => {
      return { tx, hash: crypto.hasher.sha256(tx) };
    });
    const output = app.finalizeBlock({ height, time, txs: txs.map(({ tx }) => tx), proposer });
    const { appHash } = before;
    const block = buildBlock({ chain, height, time, txs, last, appHash, lastResultsHash });
    const indexed = txs.map((tx, index) => {
      return { ...tx, height, index, result: output.txResults[index] };
    });
    if (indexed.some(({ result }) => result.codespace !== "sdk" || result.code !== 5)) {
      throw new UserError(`a tx did not fail as it should: ${indexed[0].result.log}`);
    }
    const earliest = earliestKept(store.tip?.earliest ?? 1n, height, keep);
    const results = { height, ...output };
    await app.commit(blockOps({ block, results, txs: indexed }, earliest));
    store.moveTip({ latest: height, earliest });
    [last, lastResultsHash] = [block, resultsHash(output.txResults)];
    // A node waits between blocks; here pruning gets its turn so.
    await nextTurn();
  };
  const close = async () => {
    await pruning.stop();
    await app.close();
    await db.close();
  };
  return { next, close };
}

async function newSigner() {
  const { signerFromMnemonic } = await load("client/signer");
  const words = `${"abandon ".repeat(11)}about`;
  return signerFromMnemonic(words);
}

/** A function that signs the next payment, which is of more than there is. */
async function txMaker(signer) {
  const { buildTx } = await load("client/tx_builder");
  const { encodePartial } = await load("client/wire");
  const { MsgSend } = await load("gen/cosmos/bank/v1beta1/tx");
  const amount = [{ denom: "uve", amount: "9000000000000" }];
  const toAddress = "ve17gp5mk5vw75kr0tjwwx2k4xhpw0hsjnmhyghmz";
  const value = encodePartial(MsgSend, { fromAddress: signer.address, toAddress, amount });
  const messages = [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }];
  const fee = { amount: [], gasLimit: 200_000n };
  let sequence = -1n;
  return () => {
    sequence += 1n;
    return buildTx({ signer, chainId: "long-1", accountNumber: 0n, sequence, fee, messages });
  };
}

function folderBytes(path) {
  return readdirSync(path).reduce((sum, name) => {
    return sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

const mib = (bytes) => (bytes / 1024 ** 2).toFixed(1);

/** Rows of a curve, the highest first. */
function curve(samples, rows = 10, columns = 80) {
  const top = Math.max(...samples);
  const width = Math.min(columns, samples.length);
  const points = Array.from({ length: width }, (_, at) => {
    const from = Math.floor((at * samples.length) / width);
    const to = Math.max(from + 1, Math.floor(((at + 1) * samples.length) / width));
    return Math.max(...samples.slice(from, to));
  });
  return Array.from({ length: rows }, (_, at) => {
    const level = (top * (rows - at - 0.5)) / rows;
    const label = mib((top * (rows - at)) / rows).padStart(7);
    return `${label} |${points.map((point) => (point >= level ? "#" : " ")).join("")}`.trimEnd();
  }).join("\n");
}

async function measure(options) {
  const { blocks, keep, txs } = options;
  const every = Math.max(1, Math.floor(blocks / 100));
  const path = mkdtempSync(join(tmpdir(), "settled-long-"));
  const say = (text) => void process.stdout.write(`${text}\n`);
  say(`${blocks} blocks of ${txs} txs, ${keep} heights kept, writes not synced`);
  say("  block   MiB on disk   at most   blocks/s");
  const samples = [];
  const chain = await openChain(path, options);
  try {
    let [since, peak] = [performance.now(), 0];
    for (let height = 1; height <= blocks; height += 1) {
      await chain.next();
      if (height % LOOK_EVERY === 0) peak = Math.max(peak, folderBytes(path));
      if (height % every !== 0) continue;
      const now = performance.now();
      const [bytes, rate] = [folderBytes(path), Math.round((every * 1000) / (now - since))];
      samples.push(Math.max(peak, bytes));
      const sizes = `${mib(bytes).padStart(11)}   ${mib(samples.at(-1)).padStart(7)}`;
      say(`${String(height).padStart(7)}   ${sizes}   ${String(rate).padStart(8)}`);
      [since, peak] = [now, 0];
    }
  } finally {
    await chain.close();
    rmSync(path, { recursive: true });
  }
  say(`\n${curve(samples)}\n    MiB  over ${blocks} blocks\n`);
  return samples;
}

async function main(args) {
  if (args.includes("--help")) return void process.stdout.write(HELP);
  const numbers = numberFlags(args, DEFAULTS, HELP);
  const options = { blocks: numbers["--blocks"], keep: numbers["--keep"], txs: numbers["--txs"] };
  requireNode();
  const note = (line) => void process.stderr.write(`${line}\n`);
  await installIfNeeded(note);
  if (process.env.SETTLED_DIST === undefined) await buildIfNeeded({ note });
  const samples = await measure(options);
  const half = samples.length >> 1;
  const first = Math.max(...samples.slice(Math.floor(samples.length / 10), half));
  const second = Math.max(...samples.slice(half));
  const ratio = second / first;
  const words = `at most ${mib(second)} MiB in the second half, ${mib(first)} MiB in the first`;
  process.stdout.write(`${words}: ${ratio.toFixed(2)} times (at most ${GROWTH_MAX})\n`);
  return ratio <= GROWTH_MAX ? 0 : 1;
}

runMain(main);
