import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packAny } from "../../../src/codec/any.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { decodeTx } from "../../../src/codec/tx_decode.ts";
import { QueryAccountResponse } from "../../../src/gen/cosmos/auth/v1beta1/query.ts";
import { SimulateResponse } from "../../../src/gen/cosmos/tx/v1beta1/service.ts";
import { QueryParamsResponse as ExtendedAnswer } from "../../../src/gen/settled/settlement/v1/query.ts";
import type { PendingParams } from "../../../src/gen/settled/settlement/v1/state.ts";
import { MsgUpdateParams } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { QueryParamsResponse } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import {
  DEFAULT_EXTENDED_PARAMS,
  DEFAULT_WIRE_PARAMS,
} from "../../../src/modules/settlement/params.ts";
import { writeDevHome } from "../../testkit/dev_home.ts";
import { cli } from "./fake_io.ts";
import { fakeRpc, type RpcHandlers, STATUS } from "./fake_rpc.ts";

let home: string;
let close: (() => Promise<void>) | undefined;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-params-"));
  await writeDevHome(home, "--chain-id", STATUS.node_info.network);
});
afterEach(async () => {
  await close?.();
  close = undefined;
  await rm(home, { recursive: true, force: true });
});

/** A node with the default params, and perhaps others that wait for the next block. */
function node(pending?: PendingParams): RpcHandlers {
  const base = { address: "ve1x", accountNumber: 3n, sequence: 5n };
  const account = packAny("cosmos.auth.v1beta1.BaseAccount", base);
  const gasInfo = { gasWanted: 0n, gasUsed: 70_001n };
  const answers: Record<string, Uint8Array> = {
    "/cosmos.auth.v1beta1.Query/Account": QueryAccountResponse.encode({ account }).finish(),
    "/cosmos.tx.v1beta1.Service/Simulate": SimulateResponse.encode({
      ...{ gasInfo, result: undefined },
    }).finish(),
    "/virtengine.settlement.v1.Query/Params": QueryParamsResponse.encode({
      params: DEFAULT_WIRE_PARAMS,
    }).finish(),
    "/settled.settlement.v1.Query/Params": ExtendedAnswer.encode({
      ...{ params: DEFAULT_EXTENDED_PARAMS, paramsVersion: 4n, pending },
    }).finish(),
  };
  let sent = "";
  return {
    abci_query: ({ path }) => {
      const value = Buffer.from(answers[String(path)] ?? []).toString("base64");
      return { response: { height: "7", value } };
    },
    broadcast_tx_sync: ({ tx }) => {
      sent = Buffer.from(sha256(Buffer.from(String(tx), "base64"))).toString("hex");
      return { hash: sent.toUpperCase(), data: "", code: 0, codespace: "", log: "" };
    },
    tx: () => {
      const outcome = { gas_wanted: "91002", gas_used: "70001", events: [], data: "" };
      const tx_result = { ...outcome, code: 0, codespace: "", log: "" };
      return { hash: sent.toUpperCase(), height: "8", index: 0, tx: "", tx_result };
    },
  };
}

async function update(args: readonly string[], pending?: PendingParams) {
  const rpc = await fakeRpc(node(pending));
  close = rpc.close;
  const command = ["tx", "settlement", "update-params", "--from", "customer-1", "--yes"];
  const outcome = await cli([...command, ...args, "--node", rpc.url, "--home", home]);
  const sent = rpc.calls.find(({ method }) => method === "broadcast_tx_sync")?.params["tx"];
  const tx = typeof sent === "string" ? decodeTx(Buffer.from(sent, "base64")) : undefined;
  const [any] = tx?.body.messages ?? [];
  return { ...outcome, message: any && MsgUpdateParams.decode(any.value) };
}

describe("settled tx settlement update-params", () => {
  test("--set changes params over those of the node, each by its kind", async () => {
    const { exit, message, stderr } = await update([
      ...["--set", "min_settlement_amount=500", "--set", "settled.auto_settle_after=1h"],
      ...["--set", "usage-reward-rate-bps=2000", "--set", "billing_enabled=false"],
      ...["--set", "extended_params.authority=provider-1"],
    ]);
    expect([exit, stderr]).toEqual([0, expect.stringContaining("1000 → 500")]);
    expect(stderr).toContain("settled.auto_settle_after  0 → 3600");
    const shown = await cli(["keys", "show", "provider-1", "--home", home, "-o", "json"]);
    const { address } = JSON.parse(shown.stdout) as { address: string };
    expect(message).toEqual({
      authority: expect.stringMatching(/^ve1/),
      params: {
        ...DEFAULT_WIRE_PARAMS,
        ...{ minSettlementAmount: "500", usageRewardRateBps: 2000 },
      },
      extendedParams: {
        ...DEFAULT_EXTENDED_PARAMS,
        ...{ autoSettleAfter: 3600n, billingEnabled: false, authority: address },
      },
    });
  });

  test("a half that nothing changes in is left out", async () => {
    const own = await update(["--set", "max_clock_drift=5s"]);
    expect(own.message?.params).toBeUndefined();
    expect(own.message?.extendedParams?.maxClockDrift).toBe(5n);
    await close?.();
    const wire = await update(["--set", "params.platform_fee_rate=0.07"]);
    expect(wire.message?.extendedParams).toBeUndefined();
    expect(wire.message?.params?.platformFeeRate).toBe("0.07");
  });

  test("what waits for the next block is built on, not taken back", async () => {
    const params = { ...DEFAULT_WIRE_PARAMS, usageRewardRateBps: 7 };
    const pending = { params, extendedParams: DEFAULT_EXTENDED_PARAMS, proposedHeight: 7n };
    const { message } = await update(["--set", "min_settlement_amount=500"], pending);
    expect(message?.params).toMatchObject({ usageRewardRateBps: 7, minSettlementAmount: "500" });
  });

  test("--file sets what it names, and --set is over it", async () => {
    const file = join(home, "params.json");
    const json = {
      params: { platform_fee_rate: "0.03", min_escrow_duration: 60 },
      extended_params: { final_remainder: "provider" },
    };
    await writeFile(file, JSON.stringify(json));
    const { message } = await update(["--file", file, "--set", "platform_fee_rate=0.04"]);
    expect(message?.params).toEqual({
      ...DEFAULT_WIRE_PARAMS,
      ...{ platformFeeRate: "0.04", minEscrowDuration: 60n },
    });
    expect(message?.extendedParams?.finalRemainder).toBe("provider");
  });

  test.each<[name: string, args: readonly string[], part: string]>([
    ["nothing to change", [], "--set name=value"],
    ["a param that is not there", ["--set", "colour=red"], "no param colour"],
    [
      "a scope that it is not of",
      ["--set", "settled.platform_fee_rate=0"],
      "no param settled.plat",
    ],
    ["no value", ["--set", "platform_fee_rate"], "expected name=value"],
    ["a value of another kind", ["--set", "usage_reward_rate_bps=x"], "usage_reward_rate_bps"],
    ["a yes", ["--set", "release_fees=yes"], "true or false"],
    ["values as they are", ["--set", "platform_fee_rate=0.05"], "nothing changes"],
    ["a file that is not there", ["--file", "/nowhere.json"], "/nowhere.json"],
  ])("%s is a mistake of usage", async (_, args, part) => {
    const { exit, stderr, message } = await update(args);
    expect([exit, message]).toEqual([2, undefined]);
    expect(stderr).toContain(part);
  });

  test.each<[json: string, part: string]>([
    ["[]", "expected an object"],
    ["{", "JSON"],
    ['{"wire":{}}', 'found "wire"'],
    ['{"params":{"colour":1}}', "no param params.colour"],
    ['{"params":{"usage_reward_rate_bps":"x"}}', "usage_reward_rate_bps"],
  ])("the file %s is a mistake of usage", async (json, part) => {
    const file = join(home, "params.json");
    await writeFile(file, json);
    const { exit, stderr } = await update(["--file", file]);
    expect(exit).toBe(2);
    expect(stderr).toContain(part);
  });

  test("no param has the name of one of the other half", () => {
    const names = ["virtengine.settlement.v1.Params", "settled.settlement.v1.Params"]
      .flatMap((type) => messageTypeNamed(type).fields)
      .map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
