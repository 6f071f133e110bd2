import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packAny } from "../../../src/codec/any.ts";
import { decodeTx } from "../../../src/codec/tx_decode.ts";
import { signBytesOf } from "../../../src/codec/sign_bytes.ts";
import { QueryAccountResponse } from "../../../src/gen/cosmos/auth/v1beta1/query.ts";
import { SimulateResponse } from "../../../src/gen/cosmos/tx/v1beta1/service.ts";
import { SimulateEffectsResponse } from "../../../src/gen/settled/tx/v1/service.ts";
import { MsgDistributeProviderRewards } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { MsgRecordUsage } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { usageSignBytes } from "../../../src/client/settlement_msgs.ts";
import { verifySecp256k1 } from "../../../src/lib/secp256k1.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { writeDevHome } from "../../testkit/dev_home.ts";
import { cli } from "./fake_io.ts";
import { fakeRpc, JsonRpcFailure, type RpcHandlers, STATUS } from "./fake_rpc.ts";

let home: string;
let close: (() => Promise<void>) | undefined;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-cli-"));
  await writeDevHome(home, "--chain-id", STATUS.node_info.network);
});
afterEach(async () => {
  await close?.();
  close = undefined;
  await rm(home, { recursive: true, force: true });
});

interface Chain {
  readonly check?: { code: number; codespace: string; log: string };
  readonly result?: { code: number; codespace: string; log: string };
  readonly simulate?: { code: number; codespace: string; log: string };
}

/** A node with one account, that takes txs and puts them into block 8. */
function chainOf({ check, result, simulate }: Chain): RpcHandlers {
  let sent = "";
  const answers: Record<string, () => object> = {
    "/cosmos.auth.v1beta1.Query/Account": () => ({ value: accountBytes() }),
    "/cosmos.tx.v1beta1.Service/Simulate": () =>
      simulate ?? {
        value: Buffer.from(
          SimulateResponse.encode({
            gasInfo: { gasWanted: 0n, gasUsed: 70_001n },
            result: undefined,
          }).finish(),
        ).toString("base64"),
      },
  };
  const changes = [{ address: "ve1x", moduleName: "fee_collector", denom: "uve", change: "2276" }];
  answers["/settled.tx.v1.Service/SimulateEffects"] = () => ({
    value: Buffer.from(
      SimulateEffectsResponse.encode(SimulateEffectsResponse.fromPartial({ changes })).finish(),
    ).toString("base64"),
  });
  return {
    abci_query: ({ path }) => {
      const answer = answers[String(path)];
      if (answer === undefined) {
        const log = "rpc error: code = NotFound desc = nothing here";
        return { response: { code: 22, codespace: "sdk", log, height: "7" } };
      }
      return { response: { height: "7", ...answer() } };
    },
    broadcast_tx_sync: ({ tx }) => {
      sent = String(tx);
      return { hash: hashOf(sent), data: "", ...(check ?? { code: 0, codespace: "", log: "" }) };
    },
    tx: ({ hash }) => {
      if (sent === "" || String(hash) !== hexToBase64(hashOf(sent))) {
        throw new JsonRpcFailure("tx (00) not found");
      }
      const outcome = { gas_wanted: "91002", gas_used: "70001", events: [], data: "" };
      const txResult = { ...outcome, ...(result ?? { code: 0, codespace: "", log: "" }) };
      return { hash: hashOf(sent), height: "8", index: 0, tx: sent, tx_result: txResult };
    },
  };
}

function accountBytes(): string {
  const base = { address: "ve1x", accountNumber: 3n, sequence: 5n };
  const account = packAny("cosmos.auth.v1beta1.BaseAccount", base);
  return Buffer.from(QueryAccountResponse.encode({ account }).finish()).toString("base64");
}

function hashOf(tx: string): string {
  return Buffer.from(sha256(Buffer.from(tx, "base64")))
    .toString("hex")
    .toUpperCase();
}

function hexToBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

async function onChain(chain: Chain, ...args: string[]) {
  const rpc = await fakeRpc(chainOf(chain));
  close = rpc.close;
  const outcome = await cli([...args, "--node", rpc.url, "--home", home, "-o", "json"]);
  const sent = rpc.calls.find(({ method }) => method === "broadcast_tx_sync")?.params["tx"];
  const tx = typeof sent === "string" ? decodeTx(Buffer.from(sent, "base64")) : undefined;
  return { ...outcome, tx };
}

const SEND = ["tx", "bank", "send", "customer-1", "10uve", "--from", "provider-1"];

describe("settled init", () => {
  test("makes a dev chain with funded accounts, secrets only in files of mode 0600", async () => {
    const init = ["init", "--dev", "--home", join(home, "new")];
    expect((await cli(init)).exit).toBe(0);
    const text = await readFile(join(home, "new", "config", "genesis.json"), "utf8");
    const genesis = JSON.parse(text) as {
      app_state: { chain: object; bank: { balances: { address: string; coins: unknown }[] } };
    };
    expect(genesis.app_state.chain).toMatchObject({ dev: true, bech32_prefix: "ve" });
    expect(genesis.app_state.bank.balances).toHaveLength(5);
    for (const name of ["keyring-test/provider-1.json", "config/priv_validator_key.json"]) {
      expect((await stat(join(home, "new", name))).mode & 0o777).toBe(0o600);
    }
    expect((await cli(init)).exit).toBe(1);
  });

  test("gives the same accounts for the same mnemonic", async () => {
    const mnemonic = `${"abandon ".repeat(11)}about`;
    const addresses = async (name: string) => {
      const args = ["init", "--dev", "--mnemonic", mnemonic, "--home", join(home, name)];
      const { stdout } = await cli([...args, "-o", "json"]);
      return (JSON.parse(stdout) as { accounts: { address: string }[] }).accounts;
    };
    const first = await addresses("a");
    expect(first).toEqual(await addresses("b"));
    expect(new Set(first.map(({ address }) => address)).size).toBe(5);
  });
});

describe("settled tx", () => {
  test.each(["direct", "amino-json"])(
    "simulates, pays, signs in mode %s and waits",
    async (mode) => {
      const { exit, stdout, tx } = await onChain({}, ...SEND, "--sign-mode", mode, "--memo", "hi");
      expect(exit).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ height: "8", code: 0, memo: "hi" });
      expect(tx?.body.messages.map(({ typeUrl }) => typeUrl)).toEqual([
        "/cosmos.bank.v1beta1.MsgSend",
      ]);
      const gas = 91_002n;
      expect(tx?.authInfo.fee).toMatchObject({
        gasLimit: gas,
        amount: [{ denom: "uve", amount: "2276" }],
      });
      const [signer] = tx?.authInfo.signerInfos ?? [];
      if (tx === undefined || signer?.publicKey === undefined) throw new Error("not signed");
      const data = { chainId: STATUS.node_info.network, accountNumber: 3n, sequence: 5n };
      const digest = sha256(signBytesOf(tx, { ...data, mode: signer.mode }));
      const key = signer.publicKey.value.slice(2);
      expect(verifySecp256k1(tx.signatures[0] ?? new Uint8Array(0), digest, key)).toBe(true);
    },
  );

  test("signs usage reports by themselves", async () => {
    const { exit, stderr, tx } = await onChain(
      {},
      ...["tx", "settlement", "record-usage", "order-1", "--lease-id", "lease-1"],
      ...["--usage-type", "cpu", "--usage-units", "12", "--unit-price", "1.5uve"],
      ...["--period-start", "1767225600", "--period-end", "2026-01-01T01:00:00Z"],
      ...["--from", "provider-1", "--gas", "200000"],
    );
    expect([exit, stderr]).toEqual([0, ""]);
    const {
      sender: _sender,
      signature,
      ...signed
    } = MsgRecordUsage.decode(tx?.body.messages[0]?.value ?? new Uint8Array(0));
    expect(signed).toMatchObject({ orderId: "order-1", periodEnd: 1_767_229_200n });
    const digest = sha256(usageSignBytes({ chainId: STATUS.node_info.network, ...signed }));
    const key = tx?.authInfo.signerInfos[0]?.publicKey?.value.slice(2) ?? new Uint8Array(0);
    expect(verifySecp256k1(signature, digest, key)).toBe(true);
  });

  test("an id that may be repeated, and arguments by their place", async () => {
    const gas = ["--from", "authority", "--gas", "200000"];
    const providers = await onChain(
      {},
      ...["tx", "settlement", "distribute-provider-rewards", "q1"],
      ...["--usage-ids", "usage-1-1", "--usage-ids", "usage-1-2", ...gas],
    );
    expect([providers.exit, providers.stderr]).toEqual([0, ""]);
    const value = providers.tx?.body.messages[0]?.value ?? new Uint8Array(0);
    const sent = MsgDistributeProviderRewards.decode(value);
    expect(sent).toMatchObject({ reference: "q1", usageIds: ["usage-1-1", "usage-1-2"] });
    await close?.();
    const verification = await onChain(
      {},
      ...["tx", "settlement", "distribute-verification-reward", "provider-1", "account-1", "50"],
      ...gas,
    );
    expect([verification.exit, verification.stderr]).toEqual([0, ""]);
    expect(verification.tx?.body.messages.map(({ typeUrl }) => typeUrl)).toEqual([
      "/settled.settlement.v1.MsgDistributeVerificationReward",
    ]);
  });

  test("--generate-only prints a tx that sign and broadcast take", async () => {
    const made = await onChain({}, ...SEND, "--generate-only");
    await close?.();
    const file = join(home, "tx.json");
    await writeFile(file, made.stdout);
    expect(made.tx).toBeUndefined();
    const signed = await onChain({}, "tx", "sign", file, "--from", "provider-1");
    await close?.();
    expect(signed.exit).toBe(0);
    await writeFile(file, signed.stdout);
    const sent = await onChain({}, "tx", "broadcast", file);
    expect(sent.exit).toBe(0);
    expect(sent.tx?.authInfo.fee.gasLimit).toBe(91_002n);
  });

  test("--dry-run sends nothing", async () => {
    const { exit, stdout, tx } = await onChain({}, ...SEND, "--dry-run");
    expect([exit, tx]).toEqual([0, undefined]);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ gas_used: "70001", gas_limit: "91002" },
      changes: [{ address: "ve1x", module: "fee_collector", denom: "uve", change: "2276" }],
    });
  });
});

describe("exit codes", () => {
  const failure = (codespace: string, code: number) => ({ codespace, code, log: "why: text" });

  test.each([
    ["refused by the check", { check: failure("sdk", 13) }, 5, "tx_refused"],
    ["failed in its block", { result: failure("settlement", 1503) }, 4, "tx_failed"],
    ["too little money, in the check", { check: failure("sdk", 5) }, 7, "tx_refused"],
    ["too little money, in the block", { result: failure("settlement", 1504) }, 7, "tx_failed"],
    ["refused by the simulation", { simulate: failure("sdk", 18) }, 5, "tx_refused"],
  ])("a tx %s", async (_what, chain, exit, code) => {
    const outcome = await onChain(chain, ...SEND);
    expect(outcome.exit).toBe(exit);
    expect(outcome.stdout).toBe("");
    expect(JSON.parse(outcome.stderr)).toMatchObject({
      error: { code, exit, message: "why: text" },
    });
  });

  test("too little money, in the simulation", async () => {
    const log =
      "rpc error: code = InvalidArgument desc = 1uve < 2uve: insufficient funds: invalid request";
    const outcome = await onChain({ simulate: { codespace: "sdk", code: 18, log } }, ...SEND);
    expect(outcome.exit).toBe(7);
    expect(JSON.parse(outcome.stderr)).toMatchObject({
      error: { code: "tx_refused", message: "1uve < 2uve: insufficient funds" },
    });
  });

  test("a thing that does not exist", async () => {
    const query = ["query", "settlement", "escrow", "escrow-9"];
    const outcome = await onChain({}, ...query);
    expect(outcome.exit).toBe(6);
    expect(JSON.parse(outcome.stderr)).toMatchObject({ error: { code: "not_found" } });
    await close?.();
    expect((await onChain({}, "query", "tx", "AB".repeat(32))).exit).toBe(6);
  });

  test("no node", async () => {
    const { exit, stderr } = await cli(["status", "--node", "http://127.0.0.1:9", "-o", "json"]);
    expect(exit).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "connection" } });
  });

  test.each([
    ["an unknown command", ["frobnicate"]],
    ["an unknown flag", ["status", "--frobnicate"]],
    ["a missing command", ["keys"]],
    ["a missing argument", ["keys", "show"]],
    ["a bad output", ["version", "-o", "xml"]],
    ["a missing positional", ["query", "settlement", "escrow"]],
    ["a bad coin", [...SEND.slice(0, 4), "ten", "--from", "provider-1"]],
    ["a chain that is not the node's", [...SEND, "--chain-id", "other-1"]],
    ["an unknown key", [...SEND.slice(0, 5), "--from", "nobody"]],
  ])("%s is a mistake of usage", async (what, args) => {
    const { exit, stderr } = await onChain({}, ...args);
    expect(exit).toBe(what === "an unknown key" ? 6 : 2);
    expect(stderr).not.toBe("");
  });

  test("the test keyring does not sign for a chain that is not for development", async () => {
    const path = join(home, "config", "genesis.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"dev": true', '"dev": false'));
    const outcome = await onChain({}, ...SEND, "--keyring-backend", "test");
    expect(outcome.exit).toBe(2);
    expect(outcome.stderr).toContain("not a dev chain");
  });
});

describe("completion", () => {
  const complete = async (...words: string[]) => {
    const { stdout } = await cli(["__complete", "--home", home, "--", ...words]);
    return stdout.trimEnd().split("\n");
  };

  test("knows commands, flags, values and names of keys", async () => {
    expect(await complete("que")).toEqual(["query"]);
    expect(await complete("tx", "bank", "")).toEqual(["send", "multi-send"]);
    expect(await complete("tx", "bank", "send", "--from", "cust")).toEqual([
      ...["customer-1", "customer-2"],
    ]);
    expect(await complete("status", "-o", "")).toEqual(["text", "json"]);
    expect(await complete("tx", "bank", "send", "--gas-a")).toEqual(["--gas-adjustment"]);
  });

  test.each(["bash", "zsh", "fish", "powershell"])("has a script for %s", async (shell) => {
    const { exit, stdout } = await cli(["completion", shell]);
    expect([exit, stdout.includes("__complete")]).toEqual([0, true]);
  });
});

describe("help", () => {
  test("every command has a description and an example", async () => {
    const { buildProgram } = await import("../../../src/cli/program.ts");
    const { fakeIo } = await import("./fake_io.ts");
    const missing: string[] = [];
    const visit = async (command: Awaited<ReturnType<typeof buildProgram>>, path: string[]) => {
      for (const child of command.commands) {
        if (child.name().startsWith("_")) continue;
        await visit(child as typeof command, [...path, child.name()]);
      }
      if (command.commands.length > 0 || path.length === 0) return;
      const { stdout, exit } = await cli([...path, "--help"]);
      if (exit !== 0 || !stdout.includes("Examples:") || command.description() === "") {
        missing.push(path.join(" "));
      }
    };
    await visit(await buildProgram(fakeIo()), []);
    expect(missing).toEqual([]);
  });
});
