import { decodeProofData } from "../../src/codec/proof_op.ts";
import { QueryUsageRequest } from "../../src/gen/settled/settlement/v1/query.ts";
import { QueryUsageRecordRequest } from "../../src/gen/virtengine/settlement/v1/query.ts";
import { bytesOfKey } from "../../src/lib/key.ts";
import { verifyProof } from "../../src/lib/verify_proof.ts";
import { timedSeqOf } from "../../src/modules/settlement/ids.ts";
import { recordKey, USAGE_PREFIX } from "../../src/modules/settlement/keys.ts";
import type { QueryInput } from "../../src/types/application.ts";
import type { Bench, Group } from "../harness/bench.ts";
import { percentile } from "../harness/stats.ts";
import { cycled } from "../world/accounts.ts";
import { type BenchChain, openChain } from "../world/chain.ts";
import { homeCast, readNote } from "../world/home.ts";

const PAGE_ROWS = 20;
/** Different records that are asked for: all have been read once before. */
const WARM_IDS = 1000;

/** Queries in process, warm, over the large home. */
export const queriesGroup: Group = {
  name: "queries",
  needsHomes: true,
  figures: [
    {
      ...{ name: "query_p50_us", unit: "us", scale: "microseconds", better: "lower" },
      ...{ target: { of: "value", bound: 10 }, atMillion: true },
    },
    { name: "query_p99_us", unit: "us", scale: "microseconds", better: "lower" },
    {
      ...{ name: "query_page_us", unit: "us", scale: "microseconds", better: "lower" },
      ...{ target: { of: "value", bound: 200 }, atMillion: true },
    },
    { name: "proof_us", unit: "us", scale: "microseconds", better: "lower" },
    { name: "proof_bytes", unit: "bytes", scale: "plain", better: "lower" },
  ],
  run: async (bench) => {
    const home = bench.homes.large;
    const { genesis, orders } = homeCast();
    const note = await readNote(home);
    const ids = (note?.usageIds ?? []).slice(-WARM_IDS);
    const chain = await openChain({ genesis, home });
    const points = ids.map((usageId) =>
      inputOf("virtengine.settlement.v1.Query/UsageRecord", {
        data: QueryUsageRecordRequest.encode({ usageId }).finish(),
      }),
    );
    const pages = orders.map(({ orderId }) => {
      const pagination = { key: new Uint8Array(0), limit: BigInt(PAGE_ROWS) };
      const request = QueryUsageRequest.fromPartial({ orderId, pagination });
      const data = QueryUsageRequest.encode(request).finish();
      return inputOf("settled.settlement.v1.Query/Usage", { data });
    });
    await pointQueries(bench, chain, points);
    await pageQueries(bench, chain, pages);
    await proofQueries(bench, chain, ids);
    await chain.close();
  },
};

/** A stored usage record with its proof, which is verified here, and how long that proof is. */
async function proofQueries(
  bench: Bench,
  chain: BenchChain,
  ids: readonly string[],
): Promise<void> {
  if (!bench.wants("proof_us") && !bench.wants("proof_bytes")) return;
  const inputs = ids.map((id): QueryInput => {
    const seq = timedSeqOf("usage", id);
    if (seq === undefined) throw new Error(`no id of a record: ${id}`);
    const data = bytesOfKey(recordKey(USAGE_PREFIX, seq));
    return { path: "/store/settlement/key", data, height: 0n, prove: true };
  });
  const { appHash } = chain.app.info();
  const sizes: number[] = [];
  for (const input of inputs.slice(0, 100)) {
    const { value, log, proofOps } = await chain.app.query(input);
    const proved = decodeProofData(proofOps?.[0]?.data ?? new Uint8Array(0));
    if (proved === undefined) throw new Error(`no proof: ${log}`);
    const isGood = verifyProof(appHash, input.data, value, proved.proof);
    if (!isGood) throw new Error("a proof is wrong");
    sizes.push(proved.proof.length);
  }
  bench.note("proof_bytes", percentile(sizes, 0.5));
  const count = Math.ceil(bench.sizes.queries / 10);
  await bench.repeat("proof_us", {
    run: async () => percentile(await times(chain, inputs, count), 0.5),
  });
}

function inputOf(path: string, { data }: { data: Uint8Array }): QueryInput {
  return { path: `/${path}`, data, height: 0n, prove: false };
}

async function pointQueries(
  bench: Bench,
  chain: BenchChain,
  inputs: readonly QueryInput[],
): Promise<void> {
  if (!bench.wants("query_p50_us") && !bench.wants("query_p99_us")) return;
  await times(chain, inputs, inputs.length);
  for (let at = -1; at < bench.sizes.repetitions; at += 1) {
    bench.progress(`query_p50_us ${at + 1}`);
    let all: number[] = [];
    const run = async () => {
      all = await times(chain, inputs, bench.sizes.queries);
      return percentile(all, 0.5);
    };
    await bench.sample("query_p50_us", run, at < 0);
    if (at >= 0) bench.note("query_p99_us", percentile(all, 0.99));
  }
}

async function pageQueries(
  bench: Bench,
  chain: BenchChain,
  inputs: readonly QueryInput[],
): Promise<void> {
  if (!bench.wants("query_page_us")) return;
  const count = Math.ceil(bench.sizes.queries / 10);
  await bench.repeat("query_page_us", {
    run: async () => percentile(await times(chain, inputs, count), 0.5),
  });
}

/** Microseconds of each of so many queries, one after the other. */
async function times(
  chain: BenchChain,
  inputs: readonly QueryInput[],
  count: number,
): Promise<number[]> {
  const found = new Array<number>(count);
  for (let at = 0; at < count; at += 1) {
    // A stride that meets all inputs in a scattered order.
    const input = cycled(inputs, at * 617);
    const started = performance.now();
    const { code, log } = await chain.app.query(input);
    found[at] = (performance.now() - started) * 1000;
    if (code !== 0) throw new Error(`${input.path}: ${log}`);
  }
  return found;
}
