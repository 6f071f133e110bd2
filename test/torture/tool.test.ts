import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../src/client/client.ts";
import { billedCharges } from "../../src/torture/billed.ts";
import { CommandProcess } from "../../src/torture/command_process.ts";
import { freePort } from "../../src/torture/free_port.ts";
import type { Fault } from "../../src/torture/fault.ts";
import { restartedBy } from "../../src/torture/node_process.ts";
import { scheduleText } from "../../src/torture/schedule.ts";
import { inRoot } from "../architecture/repository.ts";
import {
  initHome,
  type NodeProcess,
  settled,
  startNodeProcess,
  temporaryFolder,
} from "../e2e/node_process.ts";

// The tool against daemons that are known: one is right, and each of the others makes a mistake.

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let node: NodeProcess;
let run = 0;
const tmpdir = process.env["TMPDIR"];

beforeAll(async () => {
  folder = await temporaryFolder();
  // What is kept of failed tries goes with the rest.
  process.env["TMPDIR"] = folder.path;
  const home = join(folder.path, "home");
  await initHome(home);
  node = await startNodeProcess(home, "--block-interval", "20ms", "--log-level", "error");
}, 120_000);

afterAll(async () => {
  if (tmpdir === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = tmpdir;
  await node?.program.end("SIGINT");
  await folder.remove();
});

/** What is no cause is left out of a schedule by trying without it, which takes seconds. */
const ALL = process.env["SETTLED_LONG"] === "1";

interface Report {
  readonly verdict: string;
  readonly seed: number;
  readonly metered: { readonly amounts: Record<string, string> };
  readonly billed: { readonly amounts: Record<string, string> };
  readonly findings: { kind: string; times: number; difference: Record<string, string> }[];
  readonly requests: { readonly any: number; readonly byDoor: Record<string, number> };
  readonly faults: {
    readonly applied: Record<string, number>;
    readonly leftOut: { readonly kind: string }[];
  };
  readonly smallest: { readonly kind: string }[] | null;
}

const keyring = () => join(folder.path, "home", "keyring-test");
const script = (name: string) => inRoot(`test/torture/daemons/${name}`);

/** Runs the tool over the node of this file with a daemon of some habit, every try on a new order. */
async function torture(habit: string, ...flags: string[]) {
  return tortureOver([], habit, ...flags);
}

/** @param door words of the daemon that say what it speaks, and to whom */
async function tortureOver(door: readonly string[], habit: string, ...flags: string[]) {
  run += 1;
  const { rest, grpc } = node.report.endpoints;
  const ready = `"${process.execPath}" "${script("ready.mjs")}" {dir} tiny-${run}-{try} "${keyring()}"`;
  const daemon = [process.execPath, script("tiny_daemon.mjs"), habit];
  const { code, stdout, stderr } = await settled([
    ...["torture", "--node", node.rpc, "--reset", ready, "--metered", "{dir}/metered.ndjson"],
    ...["--rest", rest ?? "", "--grpc", grpc ?? ""],
    ...["--timeout", "20", "-o", "json", ...flags],
    ...["--", ...daemon, "{dir}", ...door],
  ]);
  return { code, stderr, report: JSON.parse(stdout || "{}") as Report };
}

/** Flags that replay a schedule of these faults. */
async function replayed(...faults: Fault[]): Promise<string[]> {
  const file = join(folder.path, `schedule-${run}.json`);
  await writeFile(file, scheduleText({ seed: 0, profile: "", faults }));
  return ["--schedule", file];
}

test("a careful daemon is billed exactly, whatever becomes of its requests", async () => {
  const { code, stderr, report } = await torture("careful", "--seed", "11", "--faults", "12");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(report).toMatchObject({ verdict: "exact", seed: 11, findings: [] });
  expect(report.metered).toEqual(report.billed);
  expect(report.metered.amounts).toEqual({ uve: "15000" });
  expect(Object.keys(report.faults.applied).length).toBeGreaterThan(2);
  // A node that is not ours to kill is not killed, and that is said.
  expect(report.faults.leftOut.map(({ kind }) => kind)).toEqual(["kill_node"]);
});

test("a daemon that sends again under another period bills twice, after one lost answer", async () => {
  const save = join(folder.path, "twice.json");
  const flags = ["--seed", "11", "--profile", "answers", "--faults", "3", "--save", save];
  const { code, report } = await torture("shifts", ...flags);
  expect(code).toBe(20);
  expect(report.verdict).toBe("billed_twice");
  expect(report.findings[0]).toMatchObject({ kind: "billed_twice", times: 2 });
  expect(report.smallest).toHaveLength(1);
  const saved = JSON.parse(await readFile(save, "utf8")) as { faults: unknown };
  expect(saved.faults).toEqual(report.smallest);
}, 120_000);

test("a daemon that gives up loses usage, after one request that never arrived", async () => {
  const cut: Fault = { kind: "cut_request", at: { of: "broadcast", nth: 2 } };
  const slow: Fault = { kind: "drip", at: { of: "query", nth: 2 }, ms: 50 };
  const faults = ALL ? [slow, cut] : [cut];
  const { code, report } = await torture("gives_up", ...(await replayed(...faults)));
  expect(code).toBe(21);
  expect(report.verdict).toBe("lost");
  expect(report.findings).toMatchObject([{ kind: "lost", times: 0, difference: { uve: "-3000" } }]);
  expect(report.smallest).toEqual([cut]);
}, 120_000);

test("a daemon that counts a window anew bills another amount, after one restart", async () => {
  const kill: Fault = { kind: "kill_daemon", at: { of: "broadcast", nth: 2 }, ms: 20 };
  const slow: Fault = { kind: "delay", at: { of: "lookup", nth: 1 }, ms: 50 };
  const faults = ALL ? [kill, slow] : [kill];
  const { code, report } = await torture("recounts", ...(await replayed(...faults)));
  expect(code).toBe(22);
  expect(report.verdict).toBe("wrong_amount");
  expect(report.smallest).toEqual([kill]);
}, 120_000);

test.each(ALL ? ["3", "6", "9"] : ["3"])(
  "a careful daemon that speaks gRPC alone is billed exactly (seed %s)",
  async (seed) => {
    const flags = ["--seed", seed, "--profile", "network", "--faults", "12"];
    const { code, stderr, report } = await tortureOver(["grpc", "{grpc}"], "careful", ...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(report).toMatchObject({ verdict: "exact", metered: report.billed, findings: [] });
    expect(report.metered.amounts).toEqual({ uve: "15000" });
    // All that happened, happened to gRPC calls.
    expect(report.requests.byDoor).toEqual({ rpc: 0, rest: 0, grpc: report.requests.any });
    expect(Object.keys(report.faults.applied).length).toBeGreaterThan(2);
  },
  60_000,
);

test("over gRPC, too, one lost answer is enough for a daemon that sends again otherwise", async () => {
  const lost: Fault = { kind: "lose_answer", at: { of: "broadcast", nth: 2 } };
  const slow: Fault = { kind: "delay", at: { of: "lookup", nth: 1 }, ms: 50 };
  const schedule = await replayed(lost, slow);
  const { code, report } = await tortureOver(["grpc"], "shifts", ...schedule);
  expect(code).toBe(20);
  expect(report.findings).toMatchObject([
    { kind: "billed_twice", times: 2, difference: { uve: "3000" } },
  ]);
  expect(report.requests.byDoor).toMatchObject({ rpc: 0, rest: 0 });
  expect(report.smallest).toEqual([lost]);
}, 120_000);

test("a careful daemon that speaks REST alone is billed exactly, as a deployed chain sees it too", async () => {
  const flags = ["--seed", "11", "--profile", "network", "--faults", "12"];
  const { code, stderr, report } = await tortureOver(["rest"], "careful", ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(report.requests.byDoor).toEqual({ rpc: 0, rest: report.requests.any, grpc: 0 });
  expect(Object.keys(report.faults.applied).length).toBeGreaterThan(2);
  const order = `tiny-${run}-1`;
  const deployed = await startDeployedNode();
  try {
    const [here, there] = [deployed.url, node.rpc].map(async (url) =>
      billedCharges(await Client.connect(url), [order]),
    );
    expect(await here).toHaveLength(4);
    expect(await here).toEqual(await there);
  } finally {
    deployed.close();
  }
});

/** The node of this file, but for the queries that are of this project alone. */
async function startDeployedNode(): Promise<{ url: string; close: () => void }> {
  const unknown = { jsonrpc: "2.0", id: 1, result: { response: { code: 6, codespace: "sdk" } } };
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      const isOwn = body.includes('"/settled.settlement.v1.');
      const answer = isOwn
        ? unknown
        : await (await fetch(node.rpc, { method: "POST", body })).json();
      response.end(JSON.stringify(answer));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => void server.close() };
}

test("the daemon of this project passes, by its feed and by its own export", async () => {
  const dir = join(folder.path, "ours");
  const [home, chainHome] = [join(dir, "home"), join(folder.path, "home")];
  await mkdir(join(home, "provider"), { recursive: true });
  for (const part of ["config", "keyring-test"]) {
    await cp(join(chainHome, part), join(home, part), { recursive: true });
  }
  const file = join(dir, "metered.ndjson");
  const settings = {
    key: { name: "provider-1" },
    prices_file: inRoot("examples/prices.json"),
    batch: { records: 2, age_ms: 20 },
    retry: { first_ms: 50, max_ms: 1000 },
    metrics: { enabled: false },
    feeds: [{ kind: "ndjson", name: "usage", file, follow: false }],
  };
  await writeFile(join(home, "provider", "provider.yaml"), JSON.stringify(settings));
  const own = [process.execPath, inRoot("dist/cli/main.js"), "provider"];
  const daemon = ["--", ...own, "start", "--until", "included", "--home", home];
  const fed = await settled([
    ...["torture", "--node", node.rpc, "--seed", "8", "--window", "3600", "--metered", file],
    ...["--reset", `"${process.execPath}" "${script("ready.mjs")}" ${dir} ours "${keyring()}"`],
    ...["-o", "json", ...daemon],
  ]);
  expect(fed).toMatchObject({ code: 0, stderr: "" });
  const first = JSON.parse(fed.stdout) as Report;
  expect(first).toMatchObject({ verdict: "exact", metered: first.billed });
  const line = `${own.map((word) => `"${word}"`).join(" ")} windows -o ndjson --home "${home}"`;
  const again = await settled([
    ...["torture", "--node", node.rpc, "--profile", "calm", "--export-command", line],
    ...["-o", "json", ...daemon],
  ]);
  expect(again).toMatchObject({ code: 0, stderr: "" });
  expect((JSON.parse(again.stdout) as Report).metered).toEqual(first.metered);
});

test("with a node of its own the node is killed too", async () => {
  const ready = `"${process.execPath}" "${script("ready.mjs")}" {dir} tiny-{try} {dir}/node/keyring-test`;
  const { code, stdout, stderr } = await settled([
    ...["torture", "--spawn-node", "--reset", ready, "--metered", "{dir}/metered.ndjson"],
    ...["--profile", "restarts", "--seed", "1", "--faults", "4", "-o", "json"],
    ...["--", process.execPath, script("tiny_daemon.mjs"), "careful", "{dir}"],
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as Report;
  expect(report.verdict).toBe("exact");
  expect(report.faults.applied).toMatchObject({ kill_node: expect.any(Number) });
});

test("the test itself that cannot be done says nothing of the daemon", async () => {
  const [empty, bad] = [join(folder.path, "empty.ndjson"), join(folder.path, "bad.ndjson")];
  await writeFile(empty, "");
  await writeFile(bad, "what?\n");
  const fine = [process.execPath, "--version"];
  const failed = ["/bin/sh", "-c", "exit 3"];
  const mistakes = [
    [["--export", "/nowhere.ndjson"], fine, 25, /--export \/nowhere.ndjson: there is no such file/],
    [["--export", empty], fine, 25, /nothing was metered, and nothing billed/],
    [["--export", bad], fine, 25, /bad.ndjson: line 1: /],
    [["--metered", bad], fine, 25, /--metered .*bad.ndjson: line 1: not JSON/],
    [["--export", "x"], ["/no/such"], 25, /cannot run/],
    [
      ["--export", "x", "--grpc", "127.0.0.1:1"],
      fine,
      25,
      /nobody answers at 127.0.0.1:1 \(--grpc\)/,
    ],
    [["--export", "x"], [...fine, "{rest}"], 2, /\{rest\} is asked for/],
    [["--export", "x"], [], 2, /the daemon is missing/],
    [["--export", "x", "--node", "http://127.0.0.1:9"], fine, 3, /cannot reach a node/],
    // Of what has failed nobody expects an export.
    [["--export", "x", "--restarts", "0"], failed, 24, /^$/],
  ] as const;
  const outcomes = mistakes.map(async ([flags, daemon, exit, words]) => {
    const all = ["torture", "--node", node.rpc, "--profile", "calm", ...flags, "--", ...daemon];
    const { code, stderr } = await settled(all);
    expect({ code, stderr }).toEqual({ code: exit, stderr: expect.stringMatching(words) });
  });
  await Promise.all(outcomes);
});

test("a daemon that goes past the proxy is told so, not praised", async () => {
  const { code, stderr } = await tortureOver(["rpc", node.rpc], "careful", "--profile", "calm");
  expect(code).toBe(25);
  expect(stderr).toMatch(/passed_by.*no request through the proxy/);
});

test("a line of shell kills the node and starts it again; its end is waited for", async () => {
  const home = join(folder.path, "restarted");
  await initHome(home);
  const [port, pidFile] = [await freePort(), join(folder.path, "pid")];
  const doors = ["grpc", "rest", "ledger", "metrics"].map((door) => `--${door}-port 0`).join(" ");
  const start = `"${process.execPath}" "${inRoot("dist/cli/main.js")}" start --home "${home}" ${doors}`;
  // The home is in use until the old process is gone.
  const kill = `old=$(cat "${pidFile}"); kill -9 $old; while kill -0 $old; do sleep 0.05; done`;
  const line = `${kill}; ${start} --rpc-port ${port} & echo $! > "${pidFile}"`;
  const url = `http://127.0.0.1:${port}`;
  await writeFile(pidFile, "2147483647");
  const control = restartedBy(line, url, join(folder.path, "restarted.log"));
  try {
    await control.killFor(0);
    const [pid, { latestHeight }] = [await readFile(pidFile, "utf8"), await statusOf(url)];
    await control.killFor(0);
    expect(await readFile(pidFile, "utf8")).not.toBe(pid);
    expect((await statusOf(url)).latestHeight).toBeGreaterThanOrEqual(latestHeight);
  } finally {
    spawnSync("kill", ["-9", (await readFile(pidFile, "utf8")).trim()]);
  }
});

async function statusOf(url: string) {
  return (await Client.connect(url)).status();
}

test("a command dies with all that it has started", async () => {
  const pidFile = join(folder.path, "child");
  const words = ["/bin/sh", "-c", `sleep 600 & echo $! > "${pidFile}"; wait`];
  const logFile = join(folder.path, "child.log");
  const command = await CommandProcess.start({ words, env: {}, logFile });
  const pidOf = async () => Number(await readFile(pidFile, "utf8").catch(() => "0"));
  await expect.poll(pidOf).toBeGreaterThan(0);
  await command.kill();
  const pid = await pidOf();
  await expect.poll(() => isRunning(pid)).toBe(false);
});

/** Not a process that has ended and waits to be asked for its exit code. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") Z");
  return !/\) Z/.test(stat);
}
