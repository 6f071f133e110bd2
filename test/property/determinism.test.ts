import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openApp, type SettledApp } from "../../src/app/app.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import type { Db } from "../../src/store/db.ts";
import { openMemoryDb } from "../../src/store/leveldb.ts";
import { portableCrypto } from "../../src/types/portable_crypto.ts";
import type { BlockOutput, GenesisDoc } from "../../src/types/application.ts";
import type { Crypto } from "../../src/types/crypto.ts";
import type { Dec } from "../../src/types/dec.ts";
import { openChain, type RanBlock, type TestChain } from "../testkit/chain.ts";
import { type RandomBlock, randomBlocks, World, worlds } from "./operations.ts";
import { runs, TIMEOUT } from "./runs.ts";

const GLOBALS = [
  ...["Date", "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"],
] as const;

/** Runs a piece of the machine in a world without clock, chance and timers. */
function withoutOutside<T>(work: () => T): T {
  const refuse = (name: string) => {
    return new Proxy(function outside() {}, {
      apply: () => {
        throw new Error(`the machine called ${name}`);
      },
      construct: () => {
        throw new Error(`the machine made a new ${name}`);
      },
      get: () => {
        throw new Error(`the machine looked at ${name}`);
      },
    });
  };
  const scope = globalThis as unknown as Record<string, unknown>;
  const kept = new Map(GLOBALS.map((name) => [name, scope[name]]));
  const [random, now] = [Math.random, performance.now];
  for (const name of GLOBALS) scope[name] = refuse(name);
  Math.random = () => {
    throw new Error("the machine called Math.random");
  };
  performance.now = () => {
    throw new Error("the machine called performance.now");
  };
  try {
    return work();
  } finally {
    for (const [name, value] of kept) scope[name] = value;
    Math.random = random;
    performance.now = now;
  }
}

interface Setting {
  readonly genesis: GenesisDoc;
  readonly crypto?: Crypto;
}

async function open(db: Db, { genesis, crypto = nodeCrypto() }: Setting): Promise<SettledApp> {
  const app = await openApp({ db, crypto, genesis, minimumGasPrice: 0n as Dec });
  if (app.info().appHash.length === 0) {
    withoutOutside(() => app.initChain(genesis));
    await app.commit([]);
  }
  return app;
}

/** App hash and results of every block, with a restart after every `every` blocks. */
async function replay(
  blocks: readonly RanBlock[],
  setting: Setting & { every?: number },
): Promise<{ hash: string; output: BlockOutput }[]> {
  const db = await openMemoryDb();
  let app = await open(db, setting);
  const found: { hash: string; output: BlockOutput }[] = [];
  for (const [index, block] of blocks.entries()) {
    if (setting.every !== undefined && index > 0 && index % setting.every === 0) {
      app = await open(db, setting);
    }
    // What the host asks between blocks must leave no trace.
    for (const tx of block.txs) {
      withoutOutside(() => app.checkTx(tx));
      withoutOutside(() => app.simulate(tx, block.time));
    }
    const { height, time, txs } = block;
    const input = { height, time, txs, proposer: new Uint8Array(20) };
    const output = withoutOutside(() => app.finalizeBlock(input));
    await app.commit([]);
    found.push({ hash: toHex(output.appHash), output });
  }
  await app.checkFullInvariants();
  return found;
}

async function recordedBlocks(chain: TestChain, blocks: readonly RandomBlock[]) {
  const world = new World(chain);
  await world.open();
  for (const block of blocks) await world.run(block);
  return chain.blocks;
}

const hashes = (found: readonly { hash: string }[]): string[] => found.map(({ hash }) => hash);

describe("the same blocks", () => {
  test(
    "give equal app hashes straight, with restarts every 7 blocks, and replayed from genesis",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(40), async (options, blocks) => {
        const chain = await openChain(options);
        const ran = await recordedBlocks(chain, blocks);
        const { genesis } = chain;
        const straight = await replay(ran, { genesis });
        expect(hashes(straight)).toEqual(ran.map(({ appHash }) => appHash));
        const restarted = await replay(ran, { genesis, every: 7 });
        expect(restarted).toEqual(straight);
        const replayed = await replay(ran, { genesis });
        expect(replayed).toEqual(straight);
      });
      await fc.assert(property, runs(5));
    },
    TIMEOUT,
  );

  test(
    "give equal app hashes on a chain that is imported half-way from an export",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(30), async (options, blocks) => {
        const half = await openChain(options);
        const world = new World(half);
        await world.open();
        for (const block of blocks.slice(0, 15)) await world.run(block);
        const genesis = await half.app.exportGenesis();
        const at = half.blocks.length;
        for (const block of blocks.slice(15)) await world.run(block);
        const rest = half.blocks.slice(at);
        const imported = await replay(rest, { genesis });
        expect(hashes(imported)).toEqual(rest.map(({ appHash }) => appHash));
      });
      await fc.assert(property, runs(5));
    },
    TIMEOUT,
  );

  test(
    "give equal app hashes and results with native and with portable cryptography",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(12), async (options, blocks) => {
        const chain = await openChain(options);
        const ran = await recordedBlocks(chain, blocks);
        const { genesis } = chain;
        const portable = await replay(ran, { genesis, crypto: portableCrypto });
        expect(portable).toEqual(await replay(ran, { genesis, crypto: nodeCrypto() }));
      });
      await fc.assert(property, runs(2));
    },
    TIMEOUT,
  );
});

test("the stubs throw, so that a clock in the machine would be seen", () => {
  expect(() => withoutOutside(() => Date.now())).toThrow("looked at Date");
  expect(() => withoutOutside(() => new Date())).toThrow("made a new Date");
  expect(() => withoutOutside(() => Math.random())).toThrow("called Math.random");
  expect(() => withoutOutside(() => setTimeout(() => {}, 0))).toThrow("called setTimeout");
  expect(Date.now()).toBeGreaterThan(0);
});

test("random runs are worth something: all messages succeed and fail in them", async () => {
  const [sample = []] = fc.sample(randomBlocks(400), { numRuns: 1, seed: 7 });
  const chain = await openChain({ extended: { auto_settle_after: "5000" } });
  const world = new World(chain);
  await world.open();
  const good = new Map<string, number>();
  const bad = new Map<string, number>();
  for (const block of sample) {
    for (const { message, result } of await world.run(block)) {
      const name = message.typeUrl.split(".").at(-1) ?? "";
      const into = result.code === 0 ? good : bad;
      into.set(name, (into.get(name) ?? 0) + 1);
      expect(result.code).not.toBe(111_222);
    }
  }
  const names = [
    ...["MsgCreateEscrow", "MsgActivateEscrow", "MsgRecordUsage", "MsgAcknowledgeUsage"],
    ...["MsgSettleOrder", "MsgReleaseEscrow", "MsgRefundEscrow", "MsgDisputeEscrow"],
    ...["MsgClaimRewards", "MsgSend"],
  ];
  for (const name of names) expect([name, (good.get(name) ?? 0) > 0]).toEqual([name, true]);
  for (const name of names) expect([name, (bad.get(name) ?? 0) > 0]).toEqual([name, true]);
  // About a third of them should fail.
  const share = world.failed / (world.failed + world.succeeded);
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.6);
});
