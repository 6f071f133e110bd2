import { createProtobufRpcClient, QueryClient, SigningStargateClient } from "@cosmjs/stargate";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { Comet38Client, connectComet } from "@cosmjs/tendermint-rpc";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../src/cli/running_chain.ts";
import { Client } from "../../src/client/client.ts";
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
} from "../../src/gen/cosmos/bank/v1beta1/query.ts";
import { must } from "../../src/lib/assert.ts";
import { verifyProof } from "../../src/lib/verify_proof.ts";
import { readConfig } from "../../src/node/config.ts";
import { silentLog } from "../../src/node/log.ts";
import { writeDevHome } from "../testkit/dev_home.ts";
import { cli } from "../unit/cli/fake_io.ts";

const KEEP_HISTORY = 6;
const BALANCE = "/cosmos.bank.v1beta1.Query/Balance";

let root: string;
let home: string;
let chain: RunningChain;
let rpc: string;
let client: Client;
let comet: Comet38Client;

// A real node with the real application in this process; everything goes through its RPC.
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "settled-proofs-"));
  home = join(root, "home");
  await writeDevHome(home);
  const flags = { rpcPort: "0", blockMode: "instant", keepHistory: String(KEEP_HISTORY) };
  const config = await readConfig(home, flags);
  chain = await startChain({ home, config, log: silentLog, openApp: await loadOpenApp() });
  rpc = chain.report.endpoints.rpc;
  client = await Client.connect(rpc);
  const connected = await connectComet(rpc);
  if (!(connected instanceof Comet38Client)) throw new Error("not the client of CometBFT 0.38");
  comet = connected;
});

afterAll(async () => {
  comet?.disconnect();
  await chain?.stop();
  await rm(root, { recursive: true, force: true });
});

function address(name: string): string {
  return must(
    chain.report.accounts.find((each) => each.name === name),
    name,
  ).address;
}

/** Sends 5uve and answers the height of the block; the receiver's balance differs after it. */
async function send(): Promise<number> {
  const { mnemonic } = must(
    chain.report.accounts.find(({ name }) => name === "customer-1"),
    "customer-1",
  );
  const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "ve" });
  const signing = await SigningStargateClient.connectWithSigner(rpc, wallet, {
    broadcastPollIntervalMs: 20,
  });
  const fee = { amount: [{ denom: "uve", amount: "10000" }], gas: "400000" };
  const coins = [{ denom: "uve", amount: "5" }];
  const [from, to] = [address("customer-1"), address("provider-1")];
  const result = await signing.sendTokens(from, to, coins, fee);
  expect(result.code).toBe(0);
  signing.disconnect();
  return result.height;
}

const request = () =>
  QueryBalanceRequest.encode(
    QueryBalanceRequest.fromPartial({ address: address("provider-1"), denom: "uve" }),
  ).finish();

/** The store key of a balance, as the README of the bank module has it. */
function balanceKey(owner: string, denom: string): Uint8Array {
  return Buffer.from([2, 1, owner.length, ...Buffer.from(owner + denom)]);
}

/** The envelope of docs/proofs.md, read anew. */
function openEnvelope(data: Uint8Array): { value: Uint8Array | null; proof: Uint8Array } {
  const bytes = Buffer.from(data);
  expect(bytes[0]).toBe(1);
  if (bytes[1] === 0) return { value: null, proof: bytes.subarray(2) };
  const end = 6 + bytes.readUInt32BE(2);
  return { value: bytes.subarray(6, end), proof: bytes.subarray(end) };
}

async function appHashInHeader(height: number): Promise<Uint8Array> {
  const { header } = await comet.commit(height);
  return header.appHash;
}

describe("unmodified CosmJS", () => {
  test("a query at a height, with its proof against the header of the next block", async () => {
    const first = await send();
    const second = await send();
    await client.devMine();
    const amounts: string[] = [];
    for (const height of [first, second]) {
      const answer = await comet.abciQuery({ path: BALANCE, data: request(), height, prove: true });
      expect([answer.code, answer.height]).toEqual([0, height]);
      const op = must(answer.proof?.ops[0], "a proof operation");
      expect([answer.proof?.ops.length, op.type]).toEqual([1, "settled/1"]);
      expect(Buffer.from(op.key)).toEqual(balanceKey(address("provider-1"), "uve"));
      const { value, proof } = openEnvelope(op.data);
      const { amount } = must(QueryBalanceResponse.decode(answer.value).balance, "a balance");
      expect(Buffer.from(must(value ?? undefined, "a value")).toString()).toBe(amount);
      amounts.push(amount);
      const appHash = await appHashInHeader(height + 1);
      expect(verifyProof(appHash, op.key, value, proof)).toBe(true);
      expect(verifyProof(await appHashInHeader(height), op.key, value, proof)).toBe(false);
    }
    expect(BigInt(amounts[1] ?? "") - BigInt(amounts[0] ?? "")).toBe(5n);
  });

  test("QueryClient.queryAbci and the generated services at a height", async () => {
    const height = await send();
    const before = await comet.abciQuery({ path: BALANCE, data: request(), height: height - 1 });
    const queries = new QueryClient(comet);
    const { value, height: asOf } = await queries.queryAbci(BALANCE, request(), height - 1);
    expect([Buffer.from(value), asOf]).toEqual([Buffer.from(before.value), height - 1]);
    const service = createProtobufRpcClient(queries);
    const latest = await service.request("cosmos.bank.v1beta1.Query", "Balance", request());
    expect(Buffer.from(latest)).not.toEqual(Buffer.from(value));
  });

  test("a raw store key, there and absent, at the latest height", async () => {
    await client.devMine();
    for (const denom of ["uve", "unothing"]) {
      const key = balanceKey(address("provider-1"), denom);
      const path = "/store/bank/key";
      const answer = await comet.abciQuery({ path, data: key, prove: true });
      expect([answer.code, Buffer.from(answer.key)]).toEqual([0, key]);
      const op = must(answer.proof?.ops[0], "a proof operation");
      const { value, proof } = openEnvelope(op.data);
      expect(value === null).toBe(denom === "unothing");
      expect(Buffer.from(answer.value)).toEqual(Buffer.from(value ?? []));
      // At the latest height abci_info has the app hash; the next header will.
      const info = await comet.abciInfo();
      expect(verifyProof(must(info.lastBlockAppHash, "one"), key, value, proof)).toBe(true);
      await client.devMine();
      const appHash = await appHashInHeader(must(answer.height, "a height") + 1);
      expect(verifyProof(appHash, key, value, proof)).toBe(true);
    }
  });

  test("heights as numbers and texts; ahead, negative and no longer kept are sdk/26", async () => {
    await client.devMine({ blocks: KEEP_HISTORY + 2 });
    const { latestHeight, earliestHeight, earliestQueryHeight } = await client.status();
    expect(earliestHeight).toBe(1n);
    expect(earliestQueryHeight).toBe(latestHeight - BigInt(KEEP_HISTORY));
    const data = Buffer.from(request()).toString("hex");
    const ask = async (height: unknown) => {
      const params = { path: BALANCE, data, height };
      const { response } = (await client.rpc.call("abci_query", params)) as {
        response: { code: number; codespace: string; log: string; height: string };
      };
      return response;
    };
    for (const good of [earliestQueryHeight, latestHeight - 1n, latestHeight]) {
      for (const height of [good.toString(), Number(good)]) {
        expect(await ask(height)).toMatchObject({ code: 0, height: good.toString() });
      }
    }
    for (const height of ["0", 0, null]) {
      expect(await ask(height)).toMatchObject({ code: 0, height: latestHeight.toString() });
    }
    for (const bad of [earliestQueryHeight - 1n, latestHeight + 1n, -1n]) {
      expect(await ask(bad.toString())).toMatchObject({ code: 26, codespace: "sdk" });
    }
    const kept = `heights ${earliestQueryHeight} to ${latestHeight} are kept`;
    expect((await ask("1")).log).toContain(kept);
  });
});

describe("the command line", () => {
  const run = (...args: string[]) => cli([...args, "--home", home]);
  const onNode = (...args: string[]) => run(...args, "--node", rpc);
  let file: string;

  beforeAll(async () => {
    file = join(root, "escrow-1.proof.json");
    const create = ["tx", "settlement", "create-escrow", "order-1", "5000uve"];
    const sent = await onNode(...create, "--expires-in", "30d", "--from", "customer-1", "--yes");
    expect(sent.stderr + String(sent.exit)).toMatch(/0$/);
  });

  test("a query with --prove is verified at once and leaves a proof file", async () => {
    const query = ["query", "settlement", "escrow", "escrow-1", "--prove", "--proof-file", file];
    const plain = await onNode(...query.slice(0, 4));
    const proved = await onNode(...query);
    expect([proved.exit, proved.stdout]).toEqual([0, plain.stdout]);
    expect(proved.stderr).toMatch(
      /^proved: 1 record of height [0-9]+ against app hash [0-9A-F]{64}, which the header of block [0-9]+ will carry\nproof written to .*\nas of height [0-9]+\n$/,
    );
    await client.devMine();
    const verified = await onNode("proof", "verify", file);
    expect([verified.exit, verified.stderr]).toEqual([0, ""]);
    expect(verified.stdout).toMatch(/^the proof holds: height [0-9]+ of settled-1\n/);
    expect(verified.stdout).toMatch(/app hash [0-9A-F]{64} \(that of header [0-9]+ at http/);
    expect(verified.stdout).toContain('escrow 1: {"');
    expect(verified.stdout).toContain("Query/Escrow follows from them\n");
  });

  test("without a node the file vouches for itself only; --app-hash ties it down", async () => {
    const own = await run("proof", "verify", file);
    expect(own.exit).toBe(0);
    expect(own.stdout).toContain("it vouches for itself only");
    const { app_hash: hash } = JSON.parse(await readFile(file, "utf8")) as { app_hash: string };
    const tied = await run("proof", "verify", file, "--app-hash", hash, "-o", "json");
    expect(tied.exit).toBe(0);
    expect(JSON.parse(tied.stdout)).toMatchObject({
      ...{ verified: true, app_hash_from: "flag", app_hash: hash, found: true },
      response: { escrow: { escrow_id: "escrow-1" } },
      records: [{ record: "escrow 1", present: true }],
    });
    const other = await run("proof", "verify", file, "--app-hash", "00".repeat(32));
    expect(other.exit).toBe(8);
    expect(other.stderr).toMatch(/the app hash of the file is [0-9A-F]{64}, that of height/);
    expect((await run("proof", "verify", file, "--app-hash", "12")).exit).toBe(2);
  });

  test("an older height, from the start or the end", async () => {
    await client.devMine({ blocks: 3 });
    const { latestHeight } = await client.status();
    const params = ["query", "settlement", "params", "--prove"];
    for (const height of [`${latestHeight - 2n}`, "-2"]) {
      const asked = await onNode(...params, "--height", height);
      expect(asked.stderr).toContain(`as of height ${latestHeight - 2n}\n`);
      expect(asked.stderr).toContain(`in the header of block ${latestHeight - 1n}\n`);
      expect(asked.exit).toBe(0);
    }
    const far = await onNode(...params, "--height", "-1000");
    expect(far.stderr).toContain(`as of height ${(await client.status()).earliestQueryHeight}\n`);
    const gone = await onNode(...params, "--height", "1", "-o", "json");
    expect(gone.exit).toBe(1);
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { codespace: "sdk", abciCode: 26 } });
  });

  test("what does not exist is proved not to; a list is refused", async () => {
    const absent = join(root, "absent.proof.json");
    const query = ["query", "settlement", "escrow", "escrow-77", "--proof-file", absent];
    const missing = await onNode(...query);
    expect(missing.exit).toBe(6);
    expect(missing.stderr).toContain("proved: 1 record of height");
    const verified = await run("proof", "verify", absent);
    expect(verified.exit).toBe(0);
    expect(verified.stdout).toContain("escrow 77: there is none\n");
    expect(verified.stdout).toContain("follows from them: there is none\n");
    const list = await onNode("query", "settlement", "escrows", "order-1", "--prove");
    expect([list.exit, list.stdout]).toEqual([1, ""]);
    expect(list.stderr).toContain("only queries of single records can be proved");
    expect(list.stderr).toContain("/virtengine.settlement.v1.Query/Escrow");
  });

  describe("a file that is not what it was", () => {
    type Content = Record<string, unknown> & { records: Record<string, string | null>[] };
    let good: string;
    beforeAll(async () => {
      good = await readFile(file, "utf8");
    });

    async function verify(text: string, ...flags: string[]) {
      const path = join(root, "altered.json");
      await writeFile(path, text);
      return run("proof", "verify", path, ...flags);
    }

    function altered(change: (content: Content) => void): string {
      const content = JSON.parse(good) as Content;
      change(content);
      return JSON.stringify(content);
    }

    /** Base64 with one bit of the byte at `at` turned. */
    function bitTurned(text: unknown, at: number): string {
      const bytes = Buffer.from(String(text), "base64");
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes.toString("base64");
    }

    test.each<[name: string, change: (content: Content) => void, said: RegExp]>([
      [
        "the stored value",
        (it) => void turn(it, "value", 3),
        /the proof of escrow 1 does not hold/,
      ],
      ["the key", (it) => void turn(it, "key", 7), /the proof of escrow 0 does not hold/],
      ["the proof", (it) => void turn(it, "proof", 60), /the proof of escrow 1 does not hold/],
      ["the depth", (it) => void turn(it, "proof", 1), /the proof of escrow 1 does not hold/],
      ["presence", (it) => void set(it, "value", null), /the proof of escrow 1 does not hold/],
      [
        "the request",
        (it) => void (it["request"] = bitTurned(it["request"], 9)),
        /the records give code/,
      ],
      [
        "the response",
        (it) => void (it["response"] = bitTurned(it["response"], 9)),
        /the response is not/,
      ],
      [
        "the path",
        (it) => void (it["path"] = "/virtengine.settlement.v1.Query/Params"),
        /the records give code/,
      ],
      ["the code", (it) => void (it["code"] = 22), /the records give an answer .* says code 22/],
      ["the app hash", (it) => void (it["app_hash"] = "AB".repeat(32)), /does not hold/],
      ["no records", (it) => void (it.records = []), /records is not a list of records/],
      ["a missing field", (it) => void delete it["height"], /height is missing/],
      ["text for base64", (it) => void set(it, "proof", "?"), /records\[0\]\.proof is not base64/],
    ])("%s", async (_, change, said) => {
      const outcome = await verify(altered(change));
      expect([outcome.exit, outcome.stdout]).toEqual([8, ""]);
      expect(outcome.stderr).toMatch(said);
    });

    function turn(content: Content, name: string, at: number): void {
      set(content, name, bitTurned(content.records[0]?.[name], at));
    }

    function set(content: Content, name: string, value: string | null): void {
      must(content.records[0], "a record")[name] = value;
    }

    test("nothing of it reaches the terminal but printable text", async () => {
      const escape = "\u001b[2J\u0007";
      const sly: ((content: Content) => void)[] = [
        (it) => void (it["chain_id"] = escape),
        (it) => void (it["path"] = `/store/${escape}/key`),
        (it) => void (it["format"] = escape),
        (it) => void (it["app_hash"] = escape),
        (it) => void (it["request"] = Buffer.from(`\n\u0007${escape}`).toString("base64")),
        (it) => void set(it, "key", Buffer.from(`\u0001\u0001\u0009${escape}`).toString("base64")),
      ];
      for (const text of [...sly.map(altered), `{${escape}`]) {
        const outcome = await verify(text);
        expect([outcome.exit, outcome.stdout]).toEqual([8, ""]);
        expect(outcome.stderr).toMatch(/^[\x20-\x7e\n]+$/);
      }
    });

    test("every truncation", async () => {
      for (let length = 0; length < good.trimEnd().length; length += 97) {
        expect((await verify(good.slice(0, length))).exit).toBe(8);
      }
    });

    test("another height or chain is found out by the node", async () => {
      await client.devMine();
      const { height } = JSON.parse(good) as { height: string };
      const other = (change: object) => altered((content) => void Object.assign(content, change));
      const before = await verify(other({ height: String(BigInt(height) - 1n) }), "--node", rpc);
      expect(before.exit).toBe(8);
      expect(before.stderr).toMatch(/the app hash of the file is .*, that of height/);
      const ahead = await verify(other({ height: "1000000" }), "--node", rpc);
      expect(ahead.exit).toBe(8);
      expect(ahead.stderr).toMatch(/the node is at height/);
      const elsewhere = await verify(other({ chain_id: "other-1" }), "--node", rpc);
      expect(elsewhere.exit).toBe(8);
      expect(elsewhere.stderr).toMatch(/the file is of chain other-1, the node of settled-1/);
    });
  });
});
