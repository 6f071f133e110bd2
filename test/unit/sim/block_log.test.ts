import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeRecordedTx, encodeRecordedTx, txOutcome } from "../../../src/codec/recorded_tx.ts";
import { encodeTxRecord } from "../../../src/codec/tendermint.ts";
import { INT64_MAX } from "../../../src/lib/int.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import type { RecordedBlock } from "../../../src/node/recorded_blocks.ts";
import { openBlockLog, writeBlockLog } from "../../../src/sim/block_log.ts";
import { ChunkWriter, checkChunks, readChunks } from "../../../src/sim/chunks.ts";
import { replayChain } from "../../../src/sim/replay_chain.ts";
import { from, recordChain, type Recording, upperHex } from "./recording.ts";

const MAGIC = "test-chunks\n";
const CHUNK_BYTES = 1024 * 1024;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-log-"));
  path = join(folder, "the.log");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Bytes without any order, which deflating cannot make fewer. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let block = sha256(Uint8Array.of(length & 255));
  for (let at = 0; at < length; at += 32) {
    bytes.set(block.subarray(0, Math.min(32, length - at)), at);
    block = sha256(block);
  }
  return bytes;
}

async function writeChunks(...parts: readonly Uint8Array[]): Promise<Buffer> {
  await rm(path, { force: true });
  const writer = await ChunkWriter.create(path, MAGIC);
  for (const part of parts) await writer.write(part);
  await writer.end();
  return readFile(path);
}

async function contentOf(file: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(file, MAGIC)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("a log that claims an endless part is not read on for it", async () => {
  const writer = await ChunkWriter.create(path, "settled-log-1\n");
  await writer.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
  await writer.end();
  const refusal = openBlockLog(path);
  await expect(refusal).rejects.toMatchObject({
    code: "log_damaged",
    cause: { message: "a part is too long" },
  });
});

describe("a file of chunks", () => {
  test("gives back what was written, however it was cut", async () => {
    const bytes = noise(2 * CHUNK_BYTES + 12_345);
    const cuts = [0, 1, 7, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 9, bytes.length];
    await writeChunks(...cuts.slice(1).map((cut, index) => bytes.subarray(cuts[index], cut)));
    expect((await contentOf(path)).equals(bytes)).toBe(true);
    await writeChunks();
    expect((await contentOf(path)).length).toBe(0);
    await writeChunks(bytes.subarray(0, CHUNK_BYTES));
    expect((await contentOf(path)).equals(bytes.subarray(0, CHUNK_BYTES))).toBe(true);
  });

  test("is refused at every altered byte and at every length that it is torn to", async () => {
    const whole = await writeChunks(noise(64));
    for (let at = 0; at < whole.length; at += 1) {
      const altered = Buffer.from(whole);
      altered[at] = (altered[at] as number) ^ (1 << (at % 8));
      await writeFile(path, altered);
      await expect(checkChunks(path, MAGIC), `byte ${at}`).rejects.toThrow(
        at < MAGIC.length ? "no log of a format" : "is damaged",
      );
      await writeFile(path, whole.subarray(0, at));
      await expect(checkChunks(path, MAGIC), `length ${at}`).rejects.toThrow(/damaged|no log/);
    }
    await writeFile(path, Buffer.concat([whole, Buffer.of(0)]));
    await expect(checkChunks(path, MAGIC)).rejects.toThrow("goes on after its end");
  });

  test("names the first chunk that is damaged", async () => {
    const whole = await writeChunks(noise(3 * CHUNK_BYTES));
    const starts = [MAGIC.length];
    // The stored length is what a chunk begins with; 40 bytes of head come before what is stored.
    for (let at = MAGIC.length; at < whole.length; starts.push(at))
      at += 40 + whole.readUInt32LE(at);
    expect(starts.length).toBe(5);
    const start = (chunk: number) => starts[chunk - 1] as number;
    const damage = async (bytes: Uint8Array, chunk: number) => {
      await writeFile(path, bytes);
      await expect(checkChunks(path, MAGIC)).rejects.toThrow(`chunk ${chunk} is damaged`);
      await expect(contentOf(path)).rejects.toThrow(`chunk ${chunk} is damaged`);
    };
    for (const chunk of [1, 2, 3]) {
      const altered = Buffer.from(whole);
      const last = start(chunk + 1) - 1;
      altered[last] = (altered[last] as number) ^ 1;
      await damage(altered, chunk);
      await damage(whole.subarray(0, start(chunk) + 1000), chunk);
    }
    await damage(whole.subarray(0, start(4)), 4);
    // The second chunk left out, and the second and the third in each other's place.
    const parts = [1, 2, 3, 4].map((n) => whole.subarray(start(n), start(n + 1)));
    const [first, second, third, end] = parts as [Buffer, Buffer, Buffer, Buffer];
    const magic = Buffer.from(MAGIC);
    await damage(Buffer.concat([magic, first, third, end]), 2);
    await damage(Buffer.concat([magic, first, third, second, end]), 2);
    await damage(Buffer.concat([magic, first, second, end]), 3);
  });

  test("is never written over", async () => {
    await writeChunks(noise(10));
    await expect(ChunkWriter.create(path, MAGIC)).rejects.toThrow("EEXIST");
  });
});

describe("a recorded log", () => {
  let chain: Recording;
  const latest = () => (chain.blocks.at(-1) as RecordedBlock).record.header.height;

  beforeAll(async () => {
    chain = await recordChain();
  });

  const write = () =>
    writeBlockLog(path, {
      ...{ genesis: chain.genesis.json, latest: latest(), blocks: from(chain.blocks) },
    });

  test("holds the chain", async () => {
    await write();
    const log = await openBlockLog(path);
    expect(log.latest).toBe(latest());
    expect(log.genesis).toEqual(chain.genesis);
    const blocks: RecordedBlock[] = [];
    for await (const block of log.blocks(latest())) blocks.push(block);
    expect(blocks).toEqual(chain.blocks);
    const some: RecordedBlock[] = [];
    for await (const block of log.blocks(7n)) some.push(block);
    expect(some).toEqual(chain.blocks.slice(0, 7));
    expect(await readdir(folder)).toEqual(["the.log"]);
  });

  test("replays, in memory and into a home", async () => {
    await write();
    const { genesis, latest: to, blocks } = await openBlockLog(path);
    for (const into of [undefined, join(folder, "again")]) {
      const report = await replayChain({ genesis, blocks: blocks(to), into });
      expect(report.difference).toBeUndefined();
      expect(upperHex(report.appHash)).toBe(chain.appHash);
    }
  });

  test("leaves nothing when it cannot be written to its end", async () => {
    async function* broken() {
      yield* chain.blocks.slice(0, 3);
      throw new Error("the disk is gone");
    }
    const input = { genesis: chain.genesis.json, latest: latest(), blocks: broken() };
    await expect(writeBlockLog(path, input)).rejects.toThrow("the disk is gone");
    expect(await readdir(folder)).toEqual([]);
  });

  test("that ends before its latest block is refused, though no chunk is damaged", async () => {
    const blocks = from(chain.blocks.slice(0, 3));
    await writeBlockLog(path, { genesis: chain.genesis.json, latest: latest(), blocks });
    const log = await openBlockLog(path);
    const read = async () => {
      for await (const _ of log.blocks(latest()));
    };
    await expect(read()).rejects.toThrow("what follows block 3 cannot be read");
  });
});

test("a stored tx is read without its events and texts", () => {
  const events = [{ type: "a", attributes: [{ key: "b", value: "c", index: true }] }];
  const result = {
    ...{ code: 5, codespace: "sdk", log: "too little money", info: "i", events },
    ...{ data: Uint8Array.of(1, 2), gasWanted: INT64_MAX + 5n, gasUsed: 70_000n },
  };
  const bytes = Uint8Array.of(9, 8, 7);
  const recorded = { bytes, outcome: txOutcome(result) };
  expect(recorded.outcome.gasWanted).toBe(INT64_MAX);
  const stored = encodeTxRecord({ height: 77n, index: 3, tx: bytes, result });
  expect(decodeRecordedTx(stored)).toEqual(recorded);
  const encoded = encodeRecordedTx(recorded);
  expect(encoded.length).toBeLessThan(stored.length);
  expect(decodeRecordedTx(encoded)).toEqual(recorded);
  expect(() => decodeRecordedTx(encoded.subarray(0, encoded.length - 1))).toThrow();
  expect(() => decodeRecordedTx(Uint8Array.of(26, 1, 9))).toThrow("a stored tx has a result");
});
