import { must } from "../lib/assert.ts";
import type { Application } from "../types/application.ts";
import type { BlockStore } from "./block_store.ts";
import type { BlockClock } from "./clock.ts";
import type { NodeConfig } from "./config.ts";
import type { BlockExecutor } from "./engine/block_executor.ts";
import type { SoloEngine } from "./engine/solo.ts";
import { EarliestBlock } from "./earliest_block.ts";
import type { EventBus } from "./event_bus.ts";
import { TAG_EVENT } from "./event_match.ts";
import type { OpenHome } from "./home.ts";
import type { Mempool } from "./mempool.ts";
import { nodeIdOf } from "./node_key.ts";
import { searchBlocks, searchTxs } from "./search.ts";
import type { NodeInfo, NodeStatus, NodeView, ValidatorInfo } from "./view.ts";

/** The version of CometBFT whose wire format this node speaks. */
const COMET_VERSION = "0.38.25";

interface ViewParts {
  readonly app: Application;
  readonly store: BlockStore;
  readonly mempool: Mempool;
  readonly bus: EventBus;
  readonly clock: BlockClock;
  readonly engine: SoloEngine;
  readonly executor: BlockExecutor;
  readonly home: OpenHome;
  readonly config: NodeConfig;
  readonly validator: ValidatorInfo;
  readonly appVersion: string;
  readonly txBytesMax: number;
}

/** The node as its doors see it. There must be a block. */
export async function nodeView(parts: ViewParts): Promise<NodeView> {
  const { app, store, mempool, bus, clock, engine, executor, home, config } = parts;
  const earliest = await EarliestBlock.read(store, executor.tip.earliestHeight);
  if (config.keepBlocks !== "all") {
    // A failed read leaves what was told before; the next block tries again.
    bus.subscribe(`${TAG_EVENT}='NewBlock'`, () => void earliest.follow().catch(() => undefined));
  }
  return {
    info: nodeInfo(parts),
    dev: config.dev
      ? {
          mine: async (input) => engine.mine(input),
          useWallClock: async () => engine.useWallClock(),
        }
      : undefined,
    mempool,
    events: bus,
    status: () => ({
      ...latestStatus(executor),
      ...earliest.facts,
      earliestQueryHeight: app.info().earliestHeight,
    }),
    production: () => engine.production,
    storeStats: () => app.storeStats(),
    genesis: () => home.genesis.json,
    block: async (height, pace) => store.block(height, pace),
    blockMeta: async (height) => store.meta(height),
    heightOfHash: async (hash) => store.heightOfHash(hash),
    blockResults: async (height, pace) => store.results(height, pace),
    tx: async (hash, pace) => store.tx(hash, pace),
    searchTxs: async (query, page) => searchTxs(store, query, page),
    searchBlocks: async (query, page) => searchBlocks(store, query, page),
    query: async (input) => app.query(input),
    simulate: (tx) => app.simulate(tx, clock.peek(executor.tip.time)),
  };
}

type Latest = Pick<NodeStatus, "latestHeight" | "latestBlockHash" | "latestAppHash" | "latestTime">;

function latestStatus({ tip }: BlockExecutor): Latest {
  const { id, header } = must(tip.block, "there is a block");
  return {
    latestHeight: header.height,
    latestBlockHash: id.hash,
    latestAppHash: tip.appHash,
    latestTime: header.time,
  };
}

function nodeInfo({ app, home, config, validator, appVersion, txBytesMax }: ViewParts): NodeInfo {
  return {
    chainId: home.genesis.doc.chainId,
    moniker: config.moniker,
    nodeId: nodeIdOf(home.nodeKey),
    cometVersion: COMET_VERSION,
    appVersion,
    bech32Prefix: app.info().bech32Prefix,
    bondDenom: bondDenomOf(home.genesis.doc.appState),
    validator,
    txBytesMax,
  };
}

/** Bond denom of a genesis that does not say (DESIGN section 2). */
const DEFAULT_BOND_DENOM = "uve";

function bondDenomOf(appState: Readonly<Record<string, unknown>>): string {
  const chain = appState["chain"] as { bond_denom?: unknown } | undefined;
  return typeof chain?.bond_denom === "string" ? chain.bond_denom : DEFAULT_BOND_DENOM;
}
