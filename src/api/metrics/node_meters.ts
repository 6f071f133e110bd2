import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { NodeMetrics, TxRefusal, WrittenBlock } from "../../node/metrics.ts";
import type { NodeView } from "../../node/view.ts";
import type { TimeNs } from "../../types/time.ts";
import { readinessOf } from "./health.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const MILLISECONDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const INTERVAL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const TX_BYTES = [256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
const NS_PER_SECOND = 1e9;

/**
 * What the node tells as it happens, under the names that dashboards for CometBFT ask for where the
 * thing exists, and what is read from it when somebody looks.
 */
export function nodeMeters(registry: Registry): NodeMetrics & { read(view: NodeView): void } {
  const blocks = blockMeters(registry);
  const mempool = mempoolMeters(registry);
  const store = storeGauges(registry);
  return {
    blockWritten: blocks.written,
    ...{ txAdded: mempool.added, txRefused: mempool.refused },
    read: (view) => {
      blocks.read(view);
      mempool.read(view);
      store(view);
    },
  };
}

function blockMeters(registry: Registry) {
  const gauge = gaugesOf(registry);
  const [registers, buckets] = [[registry], SECONDS];
  const consensus = consensusMeters(registry);
  const processing = new Histogram({
    name: "cometbft_state_block_processing_time",
    help: "Milliseconds that the machine took to execute a block.",
    ...{ registers, buckets: MILLISECONDS },
  });
  const executing = new Histogram({
    name: "settled_block_execute_seconds",
    help: "Seconds that the machine took to execute a block, app hash included.",
    ...{ registers, buckets },
  });
  const syncing = new Histogram({
    name: "settled_store_batch_sync_seconds",
    help: "Seconds from handing the batch of a block to the disk until it was synced.",
    ...{ registers, buckets },
  });
  const txs = new Counter({
    name: "settled_txs_total",
    help: "Txs in blocks since the start of the process, by result: ok or failed.",
    ...{ registers, labelNames: ["result"] },
  });
  const gas = new Counter({
    name: "settled_gas_used_total",
    help: "Gas that txs in blocks have used since the start of the process.",
    registers,
  });
  const late = gauge("settled_block_late_seconds", "How long a block has been due and not made.");
  const ready = gauge("settled_ready", "1 when GET /ready answers 200, else 0.");
  const [ok, failed] = [txs.labels("ok"), txs.labels("failed")];
  return {
    written: (block: WrittenBlock): void => {
      const { results, executeMs, syncMs } = block;
      consensus.written(block);
      processing.observe(executeMs);
      executing.observe(executeMs / 1000);
      syncing.observe(syncMs / 1000);
      let used = 0n;
      let failures = 0;
      for (const { code, gasUsed } of results.txResults) {
        used += gasUsed;
        if (code !== 0) failures += 1;
      }
      gas.inc(Number(used));
      ok.inc(results.txResults.length - failures);
      failed.inc(failures);
    },
    read: (view: NodeView): void => {
      consensus.read(view);
      late.set(view.production().lateMs / 1000);
      ready.set(readinessOf(view).status === 200 ? 1 : 0);
    },
  };
}

function consensusMeters(registry: Registry) {
  const gauge = gaugesOf(registry);
  const registers = [registry];
  const height = gauge("cometbft_consensus_height", "Height of the last block.");
  const latest = gauge("cometbft_consensus_latest_block_height", "Height that /status tells.");
  const rounds = gauge("cometbft_consensus_rounds", "Rounds: one node agrees in the first, 0.");
  const validators = gauge("cometbft_consensus_validators", "Number of validators.");
  const power = gauge("cometbft_consensus_validators_power", "Power of all validators together.");
  const numTxs = gauge("cometbft_consensus_num_txs", "Txs of the last block.");
  const totalTxs = gauge(
    "cometbft_consensus_total_txs",
    "Txs in blocks since the start of the process.",
  );
  const size = gauge("cometbft_consensus_block_size_bytes", "Bytes of the last block, encoded.");
  const interval = new Histogram({
    name: "cometbft_consensus_block_interval_seconds",
    help: "Seconds from one block to the next by their own times.",
    ...{ registers, buckets: INTERVAL_SECONDS },
  });
  const peers = gauge("cometbft_p2p_peers", "Peers: a node of Settled has none of its own, 0.");
  let before: TimeNs | undefined;
  return {
    written: ({ block }: WrittenBlock): void => {
      const { time } = block.header;
      if (before !== undefined) interval.observe(Number(time - before) / NS_PER_SECOND);
      before = time;
      numTxs.set(block.txs.length);
      totalTxs.inc(block.txs.length);
      size.set(block.size);
    },
    read: (view: NodeView): void => {
      const { latestHeight } = view.status();
      height.set(Number(latestHeight));
      latest.set(Number(latestHeight));
      rounds.set(0);
      peers.set(0);
      validators.set(1);
      power.set(Number(view.info.validator.power));
    },
  };
}

function mempoolMeters(registry: Registry) {
  const gauge = gaugesOf(registry);
  const registers = [registry];
  const size = gauge(
    "cometbft_mempool_size",
    "Txs that wait for a block, or for it to be on disk.",
  );
  const bytes = gauge("cometbft_mempool_size_bytes", "Bytes of the txs that wait.");
  const sizes = new Histogram({
    name: "cometbft_mempool_tx_size_bytes",
    help: "Bytes of the txs that the mempool took.",
    ...{ registers, buckets: TX_BYTES },
  });
  const failed = new Counter({
    name: "cometbft_mempool_failed_txs",
    help: "Txs that failed their check when they came.",
    registers,
  });
  const refused = new Counter({
    name: "settled_mempool_refused_total",
    help: "Txs that did not get into the mempool, by reason: check, in-cache, full, too-large, gas, halted or fault.",
    ...{ registers, labelNames: ["reason"] },
  });
  return {
    added: (length: number): void => sizes.observe(length),
    refused: (reason: TxRefusal): void => {
      refused.inc({ reason });
      if (reason === "check") failed.inc();
    },
    read: ({ mempool }: NodeView): void => {
      size.set(mempool.count);
      bytes.set(mempool.bytes);
    },
  };
}

function storeGauges(registry: Registry): (view: NodeView) => void {
  const gauge = gaugesOf(registry);
  const registers = [registry];
  const keys = gauge("settled_store_committed_keys", "Keys that the app hash covers.");
  const cacheBytes = gauge("settled_store_cache_bytes", "Memory of the cache of state, about.");
  const hits = new Counter({
    name: "settled_store_cache_hits_total",
    help: "Look-ups of state that memory answered.",
    registers,
  });
  const reads = new Counter({
    name: "settled_store_disk_reads_total",
    help: "Look-ups of state that went to the disk.",
    registers,
  });
  const info = new Gauge({
    name: "settled_info",
    help: "Always 1; the labels tell the version.",
    ...{ registers, labelNames: ["version"] },
  });
  return (view) => {
    const stats = view.storeStats();
    keys.set(stats.committedKeys);
    cacheBytes.set(stats.cacheBytes);
    // The store counts for itself: what is shown is brought up to it.
    hits.reset();
    hits.inc(stats.cacheHits);
    reads.reset();
    reads.inc(stats.diskReads);
    info.set({ version: view.info.appVersion }, 1);
  };
}

/** A gauge without labels by name and help. */
export function gaugesOf(registry: Registry): (name: string, help: string) => Gauge {
  return (name, help) => new Gauge({ name, help, registers: [registry] });
}
