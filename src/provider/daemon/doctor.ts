import { access, constants, mkdir, readFile, statfs } from "node:fs/promises";
import { Client, type NodeStatus } from "../../client/client.ts";
import { escrowsByOrder } from "../../client/settlement_msgs.ts";
import { parseTime } from "../../types/time.ts";
import type { MetricName } from "../collect/collector.ts";
import { openCollector } from "../collect/open_collector.ts";
import { parseGasPrice } from "../gas.ts";
import { PriceBook } from "../price_book.ts";
import type { Desk } from "./desk.ts";
import { resourcesOf } from "./meter_loop.ts";
import type { ProviderSettings, WorkloadSettings } from "./settings.ts";

/** What one check has found. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  readonly text: string;
  /** What to do; "" when nothing is to be done. */
  readonly advice: string;
}

export interface DoctorParts {
  readonly settings: ProviderSettings;
  /** Of the provider's key. */
  readonly address: string;
  /** Where outbox and socket are. */
  readonly folder: string;
  /** undefined: no daemon has run yet. */
  readonly desk: Desk | undefined;
  readonly nowMs: number;
}

const MIB = 1024 * 1024;
const DISK_WARN_BYTES = 1024 * MIB;
const DISK_FAIL_BYTES = 64 * MIB;
/** The chain takes no period that ends later than this after its block time. */
const DRIFT_MS_MAX = 60_000;

const ok = (check: string, text: string): Finding => ({ check, status: "ok", text, advice: "" });
const warn = (check: string, text: string, advice: string): Finding => {
  return { check, status: "warn", text, advice };
};
const fail = (check: string, text: string, advice: string): Finding => {
  return { check, status: "fail", text, advice };
};

/** Looks at all that the daemon needs, changing nothing; one finding after the other. */
export async function* diagnose(parts: DoctorParts): AsyncGenerator<Finding> {
  const { settings } = parts;
  yield* checkPrices(settings);
  const { findings, client, status } = await checkNodes(settings);
  yield* findings;
  if (client !== undefined && status !== undefined) {
    yield checkClock(status, parts.nowMs);
    yield await checkFunds(client, parts);
    for (const workload of settings.workloads) yield await checkOrder(client, workload, parts);
  }
  yield await checkDisk(parts.folder);
  yield* await checkKernel(settings);
  for (const workload of settings.workloads) yield* await checkWorkload(workload, settings);
  for (const feed of settings.feeds) {
    if (feed.kind !== "cloudevents") yield await checkFile(feed.name, feed.file);
  }
  yield* await checkBooks(parts.desk);
}

function* checkPrices(settings: ProviderSettings): Generator<Finding> {
  try {
    const book = PriceBook.parse(settings.prices, settings.pricesSource);
    for (const notice of book.notices) yield warn("prices", notice, "see whether it is meant so");
    yield ok("prices", `the price book of ${settings.pricesSource} can be read`);
  } catch (error) {
    yield fail("prices", (error as Error).message, "mend the price book: nothing starts without");
  }
}

async function checkNodes(settings: ProviderSettings): Promise<{
  findings: Finding[];
  client: Client | undefined;
  status: NodeStatus | undefined;
}> {
  const findings: Finding[] = [];
  let best: { client: Client; status: NodeStatus } | undefined;
  let expected = settings.chainId;
  for (const url of settings.nodes) {
    try {
      const client = await Client.connect(url, { timeoutMs: 5000 });
      const status = await client.status();
      expected ??= client.chainId;
      if (client.chainId !== expected) {
        const advice = "name nodes of one chain only";
        findings.push(fail("node", `${url} is of ${client.chainId}, not ${expected}`, advice));
        continue;
      }
      const place = `${url} is at height ${status.latestHeight} of ${client.chainId}`;
      const behind = status.catchingUp ? warn("node", `${place}, catching up`, "wait") : undefined;
      findings.push(behind ?? ok("node", place));
      best ??= { client, status };
    } catch (error) {
      const advice = "start it, or name another one under nodes";
      findings.push(fail("node", `${url}: ${(error as Error).message}`, advice));
    }
  }
  return { findings, client: best?.client, status: best?.status };
}

function checkClock(status: NodeStatus, nowMs: number): Finding {
  const time = parseTime(status.latestTime);
  if (time === undefined)
    return fail("clock", `no block time: ${status.latestTime}`, "ask the node");
  const aheadMs = nowMs - Number(time / 1_000_000n);
  const seconds = Math.round(aheadMs / 1000);
  if (aheadMs < -1000) {
    const text = `this clock is ${-seconds} s behind the last block`;
    return fail("clock", text, "set the clock: windows would close late");
  }
  if (aheadMs > DRIFT_MS_MAX) {
    const text = `the last block is ${seconds} s old`;
    const advice =
      "the chain makes no blocks, or this clock is ahead: usage waits until it is past";
    return warn("clock", text, advice);
  }
  return ok("clock", `the last block is ${seconds} s old by this clock`);
}

async function checkFunds(client: Client, { settings, address }: DoctorParts): Promise<Finding> {
  const { denom } = parseGasPrice(settings.gasPrice);
  const amount = await client.balance(address, denom);
  const least = BigInt(settings.health.fundsLeast);
  if (amount >= least) return ok("funds", `${address} has ${amount}${denom} for gas`);
  const text = `${address} has ${amount}${denom}, less than health.funds_least ${least}${denom}`;
  const say = amount === 0n ? fail : warn;
  return say("funds", text, `send it some: settled tx bank send ${address} AMOUNT${denom}`);
}

async function checkOrder(
  client: Client,
  { order, lease }: WorkloadSettings,
  { address }: DoctorParts,
): Promise<Finding> {
  const escrows = await escrowsByOrder(client, order);
  const live = escrows.find(({ state }) => state === "active") ?? escrows.at(-1);
  if (live === undefined) {
    const advice = "the customer creates and activates it; usage waits until then";
    return warn("order", `order ${order} has no escrow yet`, advice);
  }
  const place = `escrow ${live.escrowId} of order ${order}`;
  if (live.state === "pending") {
    return warn(
      "order",
      `${place} is pending`,
      "the customer activates it; usage waits until then",
    );
  }
  if (live.state !== "active") {
    return fail("order", `${place} is ${live.state}`, "it takes no usage: take the workload out");
  }
  if (live.recipient !== address) {
    const text = `${place} pays ${live.recipient}, not ${address}`;
    return fail("order", text, "use that key, or ask the customer for another escrow");
  }
  if (live.leaseId !== lease) {
    const text = `${place} is for lease "${live.leaseId}", not "${lease}"`;
    return fail("order", text, "correct the lease of the workload");
  }
  return ok("order", `${place} is active and pays this provider`);
}

async function checkDisk(folder: string): Promise<Finding> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const text = `${folder} has ${Math.floor(free / MIB)} MiB free`;
    if (free < DISK_FAIL_BYTES) return fail("disk", text, "make room: nothing can be written soon");
    if (free < DISK_WARN_BYTES) return warn("disk", text, "make room before it is full");
    return ok("disk", text);
  } catch (error) {
    return fail("disk", (error as Error).message, `make ${folder} writable for this user`);
  }
}

/** Only what the workloads need. */
async function checkKernel({ workloads }: ProviderSettings): Promise<Finding[]> {
  const kinds = new Set(workloads.flatMap(({ collectors }) => collectors.map(({ kind }) => kind)));
  const findings: Finding[] = [];
  const look = async (check: string, file: string, advice: string) => {
    const isThere = await readFile(file, "utf8").then(
      () => true,
      () => false,
    );
    const text = `${file} can${isThere ? "" : "not"} be read`;
    findings.push(isThere ? ok(check, text) : fail(check, text, advice));
  };
  if (kinds.has("process") || kinds.has("network")) {
    await look("proc", "/proc/self/stat", "these collectors need Linux with /proc");
  }
  if (kinds.has("cgroup2")) {
    const advice = "boot with systemd.unified_cgroup_hierarchy=1, or meter by process";
    await look("cgroup2", "/sys/fs/cgroup/cgroup.controllers", advice);
  }
  return findings;
}

/** Opens its collectors and takes two looks: what they tell must have prices. */
async function checkWorkload(
  { name, order, collectors, billFootprint }: WorkloadSettings,
  settings: ProviderSettings,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const tells: MetricName[] = [];
  const check = `workload ${name}`;
  for (const each of collectors) {
    const now = () => ({ wallMs: Date.now(), steadyMs: Math.floor(performance.now()) });
    try {
      const collector = await openCollector(each, undefined, now());
      try {
        tells.push(...collector.tells);
        await collector.read(now());
        const { faults } = await collector.read(now());
        const advice = "while it lasts its windows are partial";
        if (faults.length > 0) {
          findings.push(warn(check, `${collector.name}: ${faults.join("; ")}`, advice));
        } else findings.push(ok(check, `${collector.name} tells ${collector.tells.join(", ")}`));
      } finally {
        await collector.close();
      }
    } catch (error) {
      findings.push(fail(check, (error as Error).message, "correct its collectors"));
    }
  }
  try {
    const book = PriceBook.parse(settings.prices, settings.pricesSource);
    book.require([{ order, resources: resourcesOf(tells, billFootprint) }]);
  } catch (error) {
    findings.push(fail(check, (error as Error).message, "the daemon does not start without it"));
  }
  return findings;
}

async function checkFile(name: string, file: string): Promise<Finding> {
  return access(file, constants.R_OK).then(
    () => ok(`feed ${name}`, `${file} can be read`),
    (error: Error) => warn(`feed ${name}`, error.message, "see whether something writes it"),
  );
}

async function checkBooks(desk: Desk | undefined): Promise<Finding[]> {
  if (desk === undefined) return [ok("outbox", "no daemon has run in this home yet")];
  const { counts, unpriced, stuck, daemon } = await desk.status();
  const running = daemon === undefined ? "no daemon runs" : `the daemon runs, pid ${daemon.pid}`;
  const findings = [ok("daemon", running)];
  if (counts.refused > 0) {
    const first = stuck.find(({ state }) => state === "refused");
    const text = `${counts.refused} records were refused, the first: ${first?.reason ?? ""}`;
    const advice = "settled provider windows --state refused; then retry or park them";
    findings.push(warn("outbox", text, advice));
  }
  if (unpriced.length > 0) {
    const text = `${unpriced.length} windows wait for a price, the first: ${unpriced[0]}`;
    findings.push(fail("outbox", text, "add the price and start the daemon again"));
  }
  if (counts.refused + unpriced.length === 0) findings.push(ok("outbox", "nothing is stuck"));
  return findings;
}
