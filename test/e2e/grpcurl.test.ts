import { beforeAll, describe, expect, test } from "vitest";
import { must } from "../../src/lib/assert.ts";
import { findGrpcurl, grpcurl } from "./grpcurl.ts";
import { devNode } from "./dev_node.ts";

const found = await findGrpcurl();
const path = "path" in found ? found.path : "";
const reason = "missing" in found ? ` (skipped: ${found.missing})` : "";

describe.skipIf(reason !== "")(`grpcurl without a .proto file${reason}`, () => {
  const node = devNode(["--log-level", "error"]);
  let address: string;
  beforeAll(() => {
    address = must(node.report.endpoints.grpc ?? undefined, "a node has a gRPC door");
  });

  test("lists the services", async () => {
    const { code, stdout } = await grpcurl(path, [address, "list"]);
    expect(code).toBe(0);
    const services = stdout.trim().split("\n");
    expect(services).toContain("virtengine.settlement.v1.Query");
    expect(services).toContain("cosmos.tx.v1beta1.Service");
    expect(services).toContain("grpc.health.v1.Health");
  });

  test("describes all of them, and a message with its options", async () => {
    const all = await grpcurl(path, [address, "describe"]);
    expect([all.code, all.stderr]).toEqual([0, ""]);
    expect(all.stdout).toContain("rpc UsageSummary (");
    const one = await grpcurl(path, [address, "describe", "settled.settlement.v1.Params"]);
    expect(one.stdout).toContain("bool billing_enabled = 2;");
    expect(one.stdout).toContain('(.cosmos_proto.scalar) = "cosmos.AddressString"');
  });

  test("calls, with fields by their names and the Any inside an account", async () => {
    const account = node.report.accounts[0]?.address;
    const data = JSON.stringify({ address: account });
    const called = await grpcurl(path, [
      ...["-d", data, address, "cosmos.auth.v1beta1.Query/Account"],
    ]);
    expect(JSON.parse(called.stdout)).toMatchObject({
      account: { "@type": "/cosmos.auth.v1beta1.BaseAccount", address: account },
    });
    const balances = await grpcurl(path, [
      ...["-v", "-H", "x-cosmos-block-height: 1", "-d", data],
      ...[address, "cosmos.bank.v1beta1.Query/AllBalances"],
    ]);
    expect(balances.stdout).toContain("x-cosmos-block-height: 1");
    expect(balances.stdout).toContain('"denom": "uve"');
    const health = await grpcurl(path, [address, "grpc.health.v1.Health/Check"]);
    expect(JSON.parse(health.stdout)).toEqual({ status: "SERVING" });
  });

  test("shows the status of a refusal", async () => {
    const call = ["-d", '{"escrow_id":"nope"}', address, "virtengine.settlement.v1.Query/Escrow"];
    const { code, stderr } = await grpcurl(path, call);
    // 64 and the status, NOT_FOUND.
    expect(code).toBe(69);
    expect(stderr).toContain('escrow not found: "nope"');
  });
});
