import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "../../src/client/client.ts";
import {
  activateEscrow,
  claimRewards,
  createEscrow,
  type OrderUsage,
  readCreateEscrow,
  settleOrder,
  usageOfOrder,
} from "../../src/client/settlement_msgs.ts";
import { signedAcknowledgement } from "../../src/provider/reports.ts";
import type { Charge } from "../../src/torture/charge.ts";
import type { Fault } from "../../src/torture/fault.ts";
import { patiently } from "../../src/torture/patience.ts";
import { profileNamed } from "../../src/torture/profiles.ts";
import { Random } from "../../src/torture/random.ts";
import { drawSchedule } from "../../src/torture/schedule.ts";
import { runTrial, type TrialResult } from "../../src/torture/trial.ts";
import { findingText } from "../../src/torture/verdict.ts";
import { balancesOf, type Bench, type Lane } from "./bench.ts";
import { type Bill, billsOf, ndjsonOf, netOf } from "./oracle.ts";
import { feesPaid } from "./purse.ts";
import { costsOf, drawUsage, priceText, type Usage } from "./usage.ts";

const TIMEOUT_MS = 90_000;
const FAULTS = 6;

/** What became of one run. */
export interface RunReport {
  readonly seed: number;
  /** undefined: every record and every coin is as the oracle says. */
  readonly failure: string | undefined;
  readonly records: number;
  readonly faults: readonly Fault[];
  readonly applied: readonly Fault[];
  /** Folder with logs and files, when it failed. */
  readonly dir: string;
}

/** How often the processes of a run are killed, besides what else happens. */
export interface Kills {
  /** At least one. */
  readonly daemonMax: number;
  /** One run in so many kills the node. */
  readonly nodeOneIn: number;
}

/** Faults of a run: anything may happen to requests, and the daemon and the node are killed. */
export function faultsOfRun(seed: number, kills: Kills): readonly Fault[] {
  const profile = profileNamed("everything");
  if (profile === undefined) throw new Error("no profile everything");
  const abilities = { canRestartNode: false, canKillDaemon: false, canSkewTime: true };
  const { faults } = drawSchedule(seed, profile, FAULTS, abilities);
  const random = new Random(seed ^ 0x5bd1e995);
  const kill = (kind: "kill_daemon" | "kill_node"): Fault => {
    // Half of them early: while it reads what it is fed with.
    const [nthMax, plusMax] = random.below(2) === 0 ? [1, 200] : [40, 60];
    const at = { of: "any" as const, nth: random.small(nthMax), plusMs: random.below(plusMax) };
    return { kind, at, ms: random.below(200) };
  };
  const daemon = Array.from({ length: random.between(1, kills.daemonMax) }, () =>
    kill("kill_daemon"),
  );
  const node = random.below(kills.nodeOneIn) === 0 ? [kill("kill_node")] : [];
  return [...faults, ...daemon, ...node];
}

/**
 * One daemon through one schedule: what it was fed with is what the chain bills, and what the
 * provider has more afterwards is the net of it less the gas.
 * @param faults of `faultsOfRun`, or a part of them
 */
export async function runOnce(
  bench: Bench,
  lane: Lane,
  seed: number,
  faults: readonly Fault[],
): Promise<RunReport> {
  const random = new Random(seed);
  const name = bench.nextName(seed);
  const nowS = Math.floor(Date.now() / 1000);
  const usage = drawUsage(random, name, nowS);
  const bills = billsOf(usage.rows, usage.terms);
  const dir = join(bench.folder, name);
  await mkdir(dir);
  await openOrders(lane, usage, random);
  const client = await lane.provider.connect();
  const before = await fortuneOf(client, lane);
  const home = await daemonHome(bench, lane, dir, usage, random);
  const stage = {
    doors: { rpc: bench.node.url },
    ...{ node: bench.node, env: {}, dir, orders: usage.orders },
    command: [...bench.program, "provider", "start", "--until", "included", "--home", home],
    metered: () => Promise.resolve(bills.map(chargeOf)),
    close: () => Promise.resolve(),
  };
  const result = await runTrial(stage, faults, { restartsMax: 20, timeoutMs: TIMEOUT_MS });
  const failure =
    failureOf(result) ??
    (await wrongRecord(client, usage, bills)) ??
    (await wrongMoney(client, lane, { usage, bills, before, random, nowS: BigInt(nowS) }));
  if (failure === undefined) await rm(dir, { recursive: true, force: true });
  return { seed, failure, records: bills.length, faults, applied: result.applied, dir };
}

function chargeOf({ order, lease, type, start, end, units, denom, cost }: Bill): Charge {
  return { order, lease, type, start, end, units, denom, cost };
}

function failureOf({ failure, comparison, ending, lastWords }: TrialResult): string | undefined {
  if (failure === undefined) return undefined;
  const findings = comparison.findings.slice(0, 5).map(findingText);
  return [`${failure} (daemon: ${ending.kind})`, ...findings, lastWords].join("\n  ");
}

/** Escrows of all orders, with what they will cost and sometimes more. */
async function openOrders({ customer, provider }: Lane, usage: Usage, random: Random) {
  const sender = customer.signer.address;
  const creates = usage.orders.map((order) => {
    const rows = usage.rows.filter((row) => row.order === order);
    const costs = costsOf(rows, usage.terms);
    const spare = BigInt(random.pick([0, 0, 1, 1000]));
    const amount = ["uusd", "uve"].map((denom) => {
      const least = (costs.get(denom) ?? 0n) + spare;
      return { denom, amount: (least > 0n ? least : 1n).toString() };
    });
    return createEscrow({ sender, orderId: order, amount, expiresIn: 2_592_000n });
  });
  const { responses } = await customer.send(creates);
  const recipient = provider.signer.address;
  await customer.send(
    responses.map(({ value }, index) => {
      const { escrowId } = readCreateEscrow(value);
      const leaseId = `lease-of-${usage.orders[index]}`;
      return activateEscrow({ sender, escrowId, leaseId, recipient });
    }),
  );
}

/** Settings are JSON, which is YAML as well. */
async function daemonHome(bench: Bench, lane: Lane, dir: string, usage: Usage, random: Random) {
  const home = await bench.daemonHome(dir, lane);
  const { interval, rounding, prices } = usage.terms;
  const file = join(dir, "usage.ndjson");
  await writeFile(file, ndjsonOf(usage.rows));
  const perType = Object.entries(prices).map(([type, price]) => [type, priceText(price)]);
  const settings = {
    key: { name: "me" },
    ...{ interval_seconds: Number(interval), unit_rounding: rounding },
    prices: { default: Object.fromEntries(perType) as object },
    batch: {
      records: random.pick([1, 2, 5, 250]),
      age_ms: random.pick([0, 20, 100]),
      in_flight: random.pick([1, 3, 8]),
    },
    retry: { first_ms: 50, max_ms: 1000 },
    metrics: { enabled: false },
    log: { level: "info", format: "json" },
    feeds: [{ kind: "ndjson", name: "usage", file, follow: false }],
  };
  await mkdir(join(home, "provider"), { recursive: true });
  await writeFile(join(home, "provider", "provider.yaml"), JSON.stringify(settings, undefined, 1));
  return home;
}

const keyOf = (record: { type: string; start: bigint; end: bigint; lease: string }) =>
  `${record.lease} ${record.type} ${record.start}-${record.end}`;

/** Holds every record of the chain against the oracle's, field by field. */
async function wrongRecord(
  client: Client,
  usage: Usage,
  bills: readonly Bill[],
): Promise<string | undefined> {
  for (const order of usage.orders) {
    const found = await patiently(() => usageOfOrder(client, order));
    const text = (key: string, units: bigint, denom: string, atomics: string, cost: string) =>
      `${key}: ${units} at ${atomics} ${denom}, cost ${cost}`;
    const onChain = found.map((record) =>
      text(
        keyOf({
          lease: record.leaseId,
          type: record.usageType,
          start: record.periodStart,
          end: record.periodEnd,
        }),
        record.usageUnits,
        record.unitPrice.denom,
        record.unitPrice.amount,
        record.totalCost,
      ),
    );
    const expected = bills
      .filter((bill) => bill.order === order)
      .map((bill) => {
        const cost = bill.cost === 0n ? "" : `${bill.cost}${bill.denom}`;
        return text(keyOf(bill), bill.units, bill.denom, bill.atomics.toString(), cost);
      });
    const missing = expected.filter((row) => !onChain.includes(row));
    const extra = onChain.filter((row) => !expected.includes(row));
    if (missing.length + extra.length + (onChain.length - expected.length) !== 0) {
      return `${order}: missing ${missing.join("; ")} | unexpected ${extra.join("; ")}`;
    }
  }
  return undefined;
}

interface Fortune {
  readonly balances: ReadonlyMap<string, bigint>;
  readonly sequence: bigint;
}

async function fortuneOf(client: Client, { provider }: Lane): Promise<Fortune> {
  const { address } = provider.signer;
  const account = await patiently(() => client.account(address));
  const balances = await patiently(() => balancesOf(client, address));
  return { balances, sequence: account?.sequence ?? 0n };
}

interface Settled {
  readonly usage: Usage;
  readonly bills: readonly Bill[];
  readonly before: Fortune;
  readonly random: Random;
  readonly nowS: bigint;
}

/** Acknowledges a share, settles all and claims; then counts the provider's money. */
async function wrongMoney(client: Client, lane: Lane, run: Settled): Promise<string | undefined> {
  const expected = new Map<string, bigint>();
  const add = (denom: string, amount: bigint) =>
    expected.set(denom, (expected.get(denom) ?? 0n) + amount);
  let rewards = 0n;
  for (const order of run.usage.orders) {
    const records = await patiently(() => usageOfOrder(client, order));
    const acknowledged = await settle(client, lane, order, records, run.random);
    const bills = run.bills.filter((bill) => bill.order === order);
    const due = netOf(
      bills.map((bill) => ({ bill, isAcknowledged: acknowledged.has(keyOf(bill)) })),
      run.nowS,
    );
    for (const [denom, amount] of due.net) add(denom, amount);
    rewards += due.rewards;
  }
  if (rewards > 0n) {
    const sender = lane.provider.signer.address;
    await lane.provider.send([claimRewards({ sender, source: "" })]);
    add("uve", rewards);
  }
  const after = await fortuneOf(client, lane);
  const { address } = lane.provider.signer;
  add("uve", -(await feesPaid(client, address, run.before.sequence, after.sequence)));
  for (const [denom, balance] of after.balances) {
    const change = balance - (run.before.balances.get(denom) ?? 0n);
    const due = expected.get(denom) ?? 0n;
    if (change !== due) return `the provider has ${change}${denom} more, expected ${due}${denom}`;
  }
  return undefined;
}

/** Keys of the records that were acknowledged before all were settled. */
async function settle(
  client: Client,
  { customer }: Lane,
  order: string,
  records: readonly OrderUsage[],
  random: Random,
): Promise<Set<string>> {
  const share = random.pick([0, 1, 2]);
  const chosen = records.filter((_, index) => share === 2 || (share === 1 && index % 2 === 0));
  const { signer } = customer;
  await customer.send([
    ...chosen.map((record) => signedAcknowledgement(record, signer, client.chainId)),
    settleOrder({ sender: signer.address, orderId: order, usageRecordIds: [], isFinal: true }),
  ]);
  return new Set(
    chosen.map(({ leaseId: lease, usageType: type, periodStart: start, periodEnd: end }) =>
      keyOf({ lease, type, start, end }),
    ),
  );
}
