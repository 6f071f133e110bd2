import { expect, test } from "vitest";
import { decodeProofData } from "../../../src/codec/proof_op.ts";
import { must } from "../../../src/lib/assert.ts";
import { fromHex, fromUtf8 } from "../../../src/lib/bytes.ts";
import { bytesOfKey } from "../../../src/lib/key.ts";
import { verifyProof } from "../../../src/lib/verify_proof.ts";
import { balanceKey } from "../../../src/modules/bank/keys.ts";
import type { Db, DbBatch } from "../../../src/store/db.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import type { QueryOutput } from "../../../src/types/application.ts";
import { customer, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";

/** What is done once, before the next batch is written or after it. */
interface Hooks {
  before: (() => Promise<void>) | undefined;
  after: (() => Promise<void>) | undefined;
}

function hooked(db: Db, hooks: Hooks): Db {
  const once = async (name: keyof Hooks): Promise<void> => {
    const hook = hooks[name];
    hooks[name] = undefined;
    await hook?.();
  };
  const batch = (): DbBatch => {
    const inner = db.batch();
    return {
      put: (key, value) => inner.put(key, value),
      putVersioned: (key, value, height) => inner.putVersioned(key, value, height),
      del: (key) => inner.del(key),
      write: async (options) => {
        await once("before");
        await inner.write(options);
        await once("after");
      },
    };
  };
  return new Proxy(db, {
    get: (target, name) => {
      if (name === "batch") return batch;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function chainWith(): Promise<{ chain: TestChain; hooks: Hooks }> {
  const hooks: Hooks = { before: undefined, after: undefined };
  const chain = await openChain({ db: hooked(await openMemoryDb(), hooks) });
  return { chain, hooks };
}

const BALANCE = bytesOfKey(balanceKey(stranger.address, "uve"));

async function ask(chain: TestChain, height: bigint, prove: boolean): Promise<QueryOutput> {
  return chain.app.query({ path: "/store/bank/key", data: BALANCE, height, prove });
}

test("a block that the disk has, and that is not yet known to be there, is proved as it is", async () => {
  const { chain, hooks } = await chainWith();
  await chain.ok(msg.send(customer, stranger.address, "5uve"));
  const answers: QueryOutput[] = [];
  hooks.after = async () => {
    for (const height of [0n, 1n, 2n]) answers.push(await ask(chain, height, true));
  };
  await chain.ok(msg.send(customer, stranger.address, "7uve"));
  expect(answers.map(({ height }) => height)).toEqual([2n, 1n, 2n]);
  for (const { height, value, proofOps } of answers) {
    const root = must(fromHex(chain.blocks[Number(height) - 1]?.appHash ?? ""), "a block");
    const { proof } = must(decodeProofData(proofOps?.[0]?.data as Uint8Array), "an envelope");
    expect(verifyProof(root, BALANCE, value, proof), `height ${height}`).toBe(true);
  }
});

test("while blocks are being taken back readers see what the disk has", async () => {
  const { chain, hooks } = await chainWith();
  await chain.ok(msg.send(customer, stranger.address, "5uve"));
  const first = await ask(chain, 0n, false);
  await chain.ok(msg.send(customer, stranger.address, "7uve"));
  const second = await ask(chain, 0n, false);
  expect(fromUtf8(second.value)).not.toBe(fromUtf8(first.value));
  const answers: QueryOutput[] = [];
  const proved: QueryOutput[] = [];
  hooks.before = async () => {
    for (const height of [0n, 1n, 2n]) answers.push(await ask(chain, height, false));
    proved.push(await ask(chain, 2n, true));
  };
  await chain.app.revertTo(1n);
  expect(answers).toEqual([second, first, second]);
  // The commitment is of the earlier state already: no proof is better than one that fails.
  expect(proved[0]?.code).toBe(35);
  expect(proved[0]?.proofOps).toBeUndefined();
  expect(await ask(chain, 0n, false)).toEqual(first);
  expect(await ask(chain, 1n, true)).toMatchObject({ code: 0, value: first.value });
});
