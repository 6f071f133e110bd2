import { existsSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeError } from "../../../src/cli/cli_error.ts";
import { type RunningChain, startChain, writeJson } from "../../../src/cli/running_chain.ts";
import { Client } from "../../../src/client/client.ts";
import { readConfig } from "../../../src/node/config.ts";
import { silentLog } from "../../../src/node/log.ts";
import { writeDevHome } from "../../testkit/dev_home.ts";
import { FakeApp } from "../node/fake_app.ts";
import { cli } from "./fake_io.ts";

let root: string;
const running: RunningChain[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "settled-start-"));
});
afterEach(async () => {
  for (const chain of running.splice(0)) await chain.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(name: string, rpcPort: string): Promise<RunningChain> {
  const home = join(root, name);
  if (!existsSync(home)) await writeDevHome(home);
  const config = await readConfig(home, { rpcPort });
  const openApp = (opening: Parameters<typeof FakeApp.open>[0]) => FakeApp.open(opening);
  const chain = await startChain({ home, config, log: silentLog, openApp });
  running.push(chain);
  return chain;
}

test("a started chain reports its endpoints and accounts, and commands of its home find it", async () => {
  const chain = await start("a", "0");
  const { report } = chain;
  expect(report).toMatchObject({ chainId: "settled-1", pid: process.pid, bech32Prefix: "ve" });
  expect(report.endpoints).toMatchObject({ ledger: null });
  const rest = new URL("/cosmos/base/tendermint/v1beta1/node_info", String(report.endpoints.rest));
  expect(await (await fetch(rest)).json()).toMatchObject({
    default_node_info: { network: "settled-1" },
  });
  expect(report.accounts.map(({ name, role }) => `${name} ${role}`)).toEqual([
    ...["provider-1 provider", "provider-2 provider", "customer-1 customer"],
    ...["customer-2 customer", "authority authority"],
  ]);
  expect((await Client.connect(report.endpoints.rpc)).chainId).toBe("settled-1");
  const found = await cli(["status", "--home", join(root, "a"), "-o", "json"]);
  expect(JSON.parse(found.stdout)).toMatchObject({ chain_id: "settled-1" });
  await chain.stop();
  expect(existsSync(join(root, "a", "node.json"))).toBe(false);
});

test("a port or a home in use says what to change", async () => {
  const { report } = await start("a", "0");
  const port = new URL(report.endpoints.rpc).port;
  const portError = describeError(await start("b", port).catch((error: unknown) => error));
  expect(portError).toMatchObject({ exit: 1, code: "port_in_use" });
  expect(portError.message).toContain("--rpc-port");
  const homeError = describeError(await start("a", "0").catch((error: unknown) => error));
  expect(homeError).toMatchObject({ exit: 1, code: "node_start" });
  expect(homeError.message).toContain(String(process.pid));
});

test("the config file is written in one step, for its owner only", async () => {
  const path = join(root, "out.json");
  await writeJson(path, { a: 1n });
  await writeJson(path, { a: 2n });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});
