import { equalBytes, toHex, utf8 } from "../lib/bytes.ts";
import type { Application } from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import { type BlockStore, genesisOps } from "./block_store.ts";
import { resultsHash } from "./comet/results_hash.ts";
import type { ChainTip } from "./engine/block_executor.ts";
import { NodeStartError, StoredDataError } from "./errors.ts";
import type { GenesisFile } from "./genesis_file.ts";

/**
 * Brings application and blocks to where the chain goes on: genesis for a new database, else the
 * last block. State and block are written in one batch, so their heights can differ only when the
 * database was changed from outside.
 * @throws NodeStartError when genesis, state or blocks do not belong together
 */
export async function restoreTip(
  app: Application,
  store: BlockStore,
  genesis: GenesisFile,
  hasher: Hasher,
): Promise<ChainTip> {
  await store.load();
  const identity = hasher.sha256(utf8(JSON.stringify(genesis.json)));
  const stored = await store.genesisIdentity();
  if (stored === undefined) return startChain(app, genesis, identity);
  if (!equalBytes(stored, identity)) {
    throw new NodeStartError(
      "the genesis file is not the one that this database was made with: restore the file, or " +
        "start with an empty data folder",
      { expected: toHex(stored), found: toHex(identity) },
    );
  }
  return continueChain(app, store, genesis);
}

async function startChain(
  app: Application,
  { doc }: GenesisFile,
  identity: Uint8Array,
): Promise<ChainTip> {
  const { height } = app.info();
  if (height !== 0n) {
    const problem = `state is at height ${height}, but there are no blocks`;
    throw new NodeStartError(`${problem}: restore a snapshot, or start with an empty data folder`);
  }
  const appHash = app.initChain(doc);
  await app.commit(genesisOps(identity));
  return genesisTip(doc, appHash);
}

async function continueChain(
  app: Application,
  store: BlockStore,
  { doc }: GenesisFile,
): Promise<ChainTip> {
  const info = app.info();
  const { tip } = store;
  const blockHeight = tip?.latest ?? 0n;
  if (info.height !== blockHeight) {
    throw new NodeStartError(
      `state is at height ${info.height}, but the last block is ${blockHeight}: restore a snapshot`,
      { stateHeight: info.height.toString(), blockHeight: blockHeight.toString() },
    );
  }
  if (tip === undefined) return genesisTip(doc, info.appHash);
  const [block, results] = await Promise.all([store.block(tip.latest), store.results(tip.latest)]);
  if (block === undefined || results === undefined) {
    throw new StoredDataError(`block ${tip.latest}`);
  }
  if (!equalBytes(info.appHash, results.appHash)) {
    throw new NodeStartError(
      `the app hash of the state is ${toHex(info.appHash)}, but that of block ${tip.latest} is ` +
        `${toHex(results.appHash)}: restore a snapshot, or replay`,
    );
  }
  return {
    block,
    nextHeight: tip.latest + 1n,
    time: block.header.time,
    appHash: results.appHash,
    resultsHash: resultsHash(results.txResults),
    earliestHeight: tip.earliest,
  };
}

function genesisTip(doc: GenesisFile["doc"], appHash: Uint8Array): ChainTip {
  const { initialHeight, genesisTime } = doc;
  return {
    block: undefined,
    nextHeight: initialHeight,
    time: genesisTime,
    appHash,
    resultsHash: resultsHash([]),
    earliestHeight: initialHeight,
  };
}
