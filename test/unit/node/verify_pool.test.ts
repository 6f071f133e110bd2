import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import type { SettledApp } from "../../../src/app/app.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { Mempool } from "../../../src/node/mempool.ts";
import {
  NO_POOL,
  openVerifyPool,
  startVerifier,
  type VerifyPool,
  verifyAhead,
  WorkerPool,
} from "../../../src/node/verify_pool.ts";
import type { SignatureClaim } from "../../../src/types/application.ts";
import { customer, customer2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";

const { verifier, hasher } = nodeCrypto();
const pools: VerifyPool[] = [];

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

function opened<P extends VerifyPool>(pool: P): P {
  pools.push(pool);
  return pool;
}

type Verdict = boolean | "unsettled";

/** Claims over numbered bytes, and what becomes of each. */
function claimsOf(count: number, change: (index: number) => Partial<SignatureClaim> = () => ({})) {
  const verdicts: Verdict[] = [];
  const claims = Array.from({ length: count }, (_, index): SignatureClaim => {
    verdicts.push("unsettled");
    const signBytes = new Uint8Array(200 + index).fill(index);
    const signature = customer.sign(hasher.sha256(signBytes));
    const { publicKey } = customer;
    const settle = (isValid: boolean) => {
      verdicts[index] = isValid;
    };
    return { signBytes, signature, publicKey, settle, ...change(index) };
  });
  return { claims, verdicts };
}

/** A thread that ends at the first message, without an answer. */
const dyingThread = () =>
  new Worker('require("node:worker_threads").parentPort.on("message", () => process.exit(1))', {
    eval: true,
  });

describe("the pool", () => {
  test("settles every claim of many batches, each with its own verdict", async () => {
    const pool = opened(openVerifyPool(2, verifier));
    const { claims, verdicts } = claimsOf(500, (index) =>
      index % 7 === 3 ? { signature: customer.sign(new Uint8Array(32)) } : {},
    );
    await Promise.all([
      pool.verify(claims.slice(0, 10)),
      pool.verify(claims.slice(10, 400)),
      pool.verify(claims.slice(400)),
    ]);
    expect(verdicts).toEqual(claims.map((_, index) => index % 7 !== 3));
  });

  test("takes claims of any size, and refuses malformed ones by itself", async () => {
    const pool = opened(openVerifyPool(2, verifier));
    const large = new Uint8Array(600_000).fill(9);
    const changes: Partial<SignatureClaim>[] = [
      {},
      { signBytes: large, signature: customer.sign(hasher.sha256(large)) },
      { signature: new Uint8Array(63) },
      { publicKey: new Uint8Array(65) },
      { signBytes: new Uint8Array(0) },
      { publicKey: customer2.publicKey },
      {},
    ];
    const { claims, verdicts } = claimsOf(changes.length, (index) => changes[index] ?? {});
    await pool.verify(claims);
    expect(verdicts).toEqual([true, true, false, false, false, false, true]);
  });

  test("leaves the claims of a thread that dies unsettled, and starts another", async () => {
    let started = 0;
    const real = startVerifier(true);
    const pool = opened(
      new WorkerPool(2, () => {
        started += 1;
        return started === 1 ? dyingThread() : real();
      }),
    );
    const first = claimsOf(300);
    await pool.verify(first.claims);
    expect(first.verdicts).toContain("unsettled");
    expect(first.verdicts).toContain(true);
    expect(first.verdicts).not.toContain(false);
    const second = claimsOf(300);
    await pool.verify(second.claims);
    expect(second.verdicts).toEqual(second.claims.map(() => true));
    expect(started).toBe(3);
  });

  test("gives up when its threads go on dying", async () => {
    let started = 0;
    const pool = opened(
      new WorkerPool(2, () => {
        started += 1;
        return dyingThread();
      }),
    );
    const { claims, verdicts } = claimsOf(1000);
    await pool.verify(claims);
    expect(new Set(verdicts)).toEqual(new Set(["unsettled"]));
    expect(started).toBeLessThanOrEqual(5);
    await pool.verify(claims);
    expect(started).toBeLessThanOrEqual(5);
  });

  test("has no threads for one core, and none after it was closed", async () => {
    expect(openVerifyPool(1, verifier)).toBe(NO_POOL);
    const pool = openVerifyPool(2, verifier);
    const { claims, verdicts } = claimsOf(200);
    const verified = pool.verify(claims);
    await pool.close();
    await verified;
    await pool.verify(claims);
    expect(verdicts).toContain("unsettled");
  });
});

describe("the mempool with a pool", () => {
  const limits = { txsMax: 1000, bytesMax: 1e7, txBytesMax: 1e6, blockGasMax: -1n };
  const mempoolOf = (app: SettledApp, pool: VerifyPool) =>
    new Mempool({ limits, app, pool, onAdded: () => undefined });
  const sends = async (chain: TestChain, count: number, changed: number) => {
    const txs: Uint8Array[] = [];
    for (let index = 0; index < count; index += 1) {
      const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")]);
      // The last byte of the signature.
      if (index === changed) tx[tx.length - 1] = (tx[tx.length - 1] as number) ^ 1;
      txs.push(tx);
    }
    return txs;
  };

  test("checks one sender's txs in order, and refuses what it would refuse without", async () => {
    const outcomes = await Promise.all(
      [NO_POOL, opened(openVerifyPool(2, verifier))].map(async (pool) => {
        const chain = await openChain();
        const txs = await sends(chain, 150, 100);
        const mempool = mempoolOf(chain.app, pool);
        const results = await Promise.all(txs.map(async (tx) => mempool.add(tx)));
        expect(mempool.waiting(1000)).toEqual(txs.slice(0, 100));
        return results.map(({ code, log }) => `${code} ${log}`);
      }),
    );
    const [inline, pooled] = outcomes as [string[], string[]];
    expect(pooled).toEqual(inline);
    expect(inline.slice(0, 100).every((outcome) => outcome === "0 ")).toBe(true);
    expect(inline[100]).toContain("signature verification failed");
    expect(inline[101]).toContain("expected 100, got 101");
  });

  test("a thread that dies changes no result", async () => {
    const chain = await openChain();
    const mempool = mempoolOf(chain.app, opened(new WorkerPool(2, dyingThread)));
    const txs = await sends(chain, 80, 50);
    const results = await Promise.all(txs.map(async (tx) => mempool.add(tx)));
    expect(results.slice(0, 50).every(({ code }) => code === 0)).toBe(true);
    expect(results[50]?.log).toContain("signature verification failed");
  });

  test("a whole block verified ahead has the results and the app hash of one that was not", async () => {
    const [plain, ahead] = [await openChain(), await openChain()];
    const txs = [...(await sends(plain, 60, 40)), new Uint8Array([1, 2, 3])];
    const pool = opened(openVerifyPool(2, verifier));
    const prepared = txs.map((tx) => ahead.app.prepareTx(tx));
    await verifyAhead(ahead.app, pool, prepared);
    expect(prepared.flatMap((tx) => ahead.app.claimsOf(tx))).toEqual([]);
    const input = { height: 1n, time: plain.time, proposer: new Uint8Array(20) };
    const expected = plain.app.finalizeBlock({ ...input, txs });
    expect(ahead.app.finalizeBlock({ ...input, txs: prepared })).toEqual(expected);
    expect(expected.txResults.filter(({ code }) => code === 0)).toHaveLength(40);
  });
});
