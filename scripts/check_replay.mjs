// Checks a replay against the chain with arithmetic of its own: nothing here comes from src.
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
const HELP = `usage: node scripts/check_replay.mjs --file F [--format metrics] [flags of the replay]
Computes units, costs, settlements and rewards from a usage file and prices, compares them with what the
chain shows, and exits 1 on a difference. Flags: --node URL (or none) --prices --window --limit
--unit-rounding --ack-share --escrow-margin -o json`;
const flags = new Map(process.argv.map((word, at, words) => [word, words[at + 1]]));
const flag = (name, standard) => flags.get(name) ?? standard;
const [file, node] = [flag("--file"), flag("--node", "http://127.0.0.1:26657")];
if (file === undefined) process.exit(console.log(HELP) ?? (flags.has("--help") ? 0 : 2));
const TYPES = ["cpu", "memory", "storage", "gpu", "network"];
const PER_UNIT = [3600000n, 3865470566400n, 3865470566400n, 3600n, 1073741824n];
const MULTIPLIER = { cpu: 10000n, memory: 10000n, storage: 10000n, gpu: 12000n, network: 9000n };
const E18 = 10n ** 18n;
const dec = (text, [whole, part = ""] = text.split(".")) => BigInt(whole + part.padEnd(18, "0"));
const { denom, prices } = JSON.parse(readFileSync(flag("--prices", "examples/prices.json")));
const [ackShare, margin] = [dec(flag("--ack-share", "1")), dec(flag("--escrow-margin", "1"))];
const [limit, length] = [Number(flag("--limit", "Infinity")), BigInt(flag("--window", "3600"))];
const [pods, carry] = [flag("--format") !== "metrics", flag("--unit-rounding") === "carry"];
// 1. What each order must have: records with units and cost, in the order of the file.
const [orders, jobs, units] = [new Map(), new Set(), Object.fromEntries(TYPES.map((t) => [t, 0n]))];
const total = { skipped: 0, windows: 0, records: 0, cost: 0n, settled: 0n, rewards: 0n };
function addWindow(name, start, end, raw) {
  if (!orders.has(name)) orders.set(name, { records: [], kept: TYPES.map(() => 0n), cost: 0n });
  const order = orders.get(name);
  const due = raw.map((value, i) => value + order.kept[i]);
  const counts = due.map((value, i) => value / PER_UNIT[i]);
  if (carry) order.kept = due.map((value, i) => value % PER_UNIT[i]);
  if (![...counts, ...(carry ? raw : [])].some((value) => value > 0n)) counts[0] = 1n;
  total.windows += 1;
  for (const [i, type] of TYPES.entries()) {
    if (counts[i] === 0n) continue;
    const cost = (counts[i] * dec(prices[type])) / E18;
    order.records.push({ type, start, end, units: counts[i], cost, place: order.records.length });
    order.cost += cost;
    units[type] += counts[i];
    total.records += 1;
    total.cost += cost;
  }
}
function addMetrics(row) {
  const r = JSON.parse(row.replace(/":\s*(\d+)/g, '":"$1"'));
  if (!jobs.has(r.job) && jobs.size >= limit) return;
  jobs.add(r.job);
  const raw = [r.cpu_milliseconds, r.memory_byte_seconds, r.storage_byte_seconds, r.gpu_seconds];
  const traffic = BigInt(r.network_bytes_in) + BigInt(r.network_bytes_out);
  addWindow(r.order, BigInt(r.start), BigInt(r.end), [...raw.map(BigInt), traffic]);
}
function addPod(row) {
  const [name, cpu, mib, gpus, milli, , , , , deleted, scheduled] = row.split(",");
  if (jobs.size >= limit) return;
  if (scheduled === "" || scheduled === deleted) return (total.skipped += 1);
  jobs.add(name);
  for (let start = BigInt(scheduled); start < BigInt(deleted); start += length) {
    const seconds = BigInt(deleted) - start < length ? BigInt(deleted) - start : length;
    const gpu = gpus === "1" ? (seconds * BigInt(milli)) / 1000n : seconds * BigInt(gpus);
    const raw = [BigInt(cpu) * seconds, (BigInt(mib) << 20n) * seconds, 0n, gpu, 0n];
    addWindow(`pod/${name}`, start, start + seconds, raw);
  }
}
const rows = readFileSync(file, "utf8").trim().split("\n");
rows.slice(pods ? 1 : 0).forEach(pods ? addPod : addMetrics);
// 2. What the chain shows (a chain that has seen only this replay): all rows of a query's answer.
const root = new protobuf.Root();
const proto = (name) => `${import.meta.dirname}/../proto/${name}`;
const FORM = { longs: String, bytes: String, defaults: true };
root.resolvePath = (_, name) => (/^(go|amino|cosmos_|cosmos.msg)/.test(name) ? null : proto(name));
async function ask(query, request, field) {
  const module = query.slice(0, query.indexOf(".Query"));
  root.loadSync(`${module.replaceAll(".", "/")}/query.proto`);
  const type = (kind) => root.lookupType(query.replace("Query/", "Query") + kind);
  const found = [];
  for (let more = true, key = ""; more; ) {
    const page = { limit: 10000, offset: found.length, pagination: { key, limit: 1000 } };
    const asked = type("Request").encode(type("Request").fromObject({ ...page, ...request }));
    const params = { path: `/${query}`, data: Buffer.from(asked.finish()).toString("hex") };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "abci_query", params });
    const { response } = (await (await fetch(node, { method: "POST", body })).json()).result;
    if (response.code) throw new Error(`${query} ${JSON.stringify(request)}: ${response.log}`);
    const answer = type("Response").decode(Buffer.from(response.value ?? "", "base64"));
    const shown = type("Response").toObject(answer, FORM);
    found.push(...[shown[field]].flat());
    key = shown.pagination?.nextKey;
    more = key || (query.endsWith("RewardHistory") && shown[field].length === page.limit);
  }
  return found;
}
const [differences, rewards, moved] = [[], new Map(), new Map()];
const same = (what, a, b) => `${a}` === `${b}` || differences.push(`${what}: ${a}, chain: ${b}`);
const add = (map, key, value) => map.set(key, (map.get(key) ?? 0n) + value);
const amount = (coins) => BigInt(coins.find((coin) => coin.denom === denom)?.amount ?? 0);
const [OURS, DEPLOYED] = ["settled.settlement.v1.Query", "virtengine.settlement.v1.Query"];
// Records show whole seconds; a report may be late by less than one.
const [NS, times] = [10n ** 9n, new Map()];
async function blockTime(height) {
  if (times.has(height)) return times.get(height);
  const params = { height: `${height}` };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "block", params });
  const { result } = await (await fetch(node, { method: "POST", body })).json();
  const [, seconds, part = ""] = /^([^.]*?)(?:\.(\d+))?Z$/.exec(result.block.header.time);
  const time = BigInt(Date.parse(`${seconds}Z`) / 1000) * NS + BigInt(part.padEnd(9, "0"));
  times.set(height, time);
  return time;
}
async function checkOrder([orderId, { records, cost }]) {
  const [costs, found] = [new Map(), await ask(`${OURS}/Usage`, { orderId }, "usageRecords")];
  same(`${orderId}: number of records`, records.length, found.length);
  if (records.length === 0 || found.length === 0) return;
  const zero = BigInt(found[0].periodStart) - records[0].start;
  const expected = new Map(records.map((r) => [`${r.type} ${r.start + zero} ${r.end + zero}`, r]));
  for (const r of found) {
    const due = expected.get(`${r.usageType} ${r.periodStart} ${r.periodEnd}`);
    const acknowledged = due && BigInt(due.place) < (ackShare * BigInt(records.length)) / E18;
    const shown = [r.usageUnits, amount(r.totalCost), r.customerAcknowledged, r.settled];
    same(r.usageId, due && [due.units, due.cost, acknowledged, true], shown);
    const late = (await blockTime(r.blockHeight)) - BigInt(r.periodEnd) * NS > 86400n * NS;
    const sla = late ? 8000n : 10000n;
    const factors = 1000n * MULTIPLIER[r.usageType] * sla * (acknowledged ? 10000n : 9000n);
    costs.set(r.usageId, due?.cost ?? 0n);
    rewards.set(r.usageId, (costs.get(r.usageId) * factors) / 10n ** 16n);
    add(moved, `${r.provider} reward_claim`, rewards.get(r.usageId));
    total.rewards += rewards.get(r.usageId);
  }
  for (const s of await ask(`${DEPLOYED}/SettlementsByOrder`, { orderId }, "settlements")) {
    const sum = s.usageRecordIds.reduce((all, id) => all + (costs.get(id) ?? 0n), 0n);
    const due = [sum, (sum * 5n) / 100n, sum / 100n, sum - (sum * 5n) / 100n - sum / 100n];
    const shown = [s.totalAmount, s.platformFee, s.validatorFee, s.providerShare].map(amount);
    same(s.settlementId, due, shown);
    add(moved, `${s.provider} payout`, due[3]);
    total.settled += sum;
  }
  for (const e of await ask(`${DEPLOYED}/EscrowsByOrder`, { orderId }, "escrows")) {
    const deposit = (cost * margin + E18 - 1n) / E18 || 1n;
    const shown = [e.state, amount(e.amount), amount(e.balance), amount(e.totalSettled)];
    same(`${orderId}: ${e.escrowId}`, ["released", deposit, 0n, cost], shown);
    add(moved, `${e.depositor} escrow`, -cost);
  }
}
// 3. Accounts: what the journal says of payouts, claims, escrows and balance; rewards one by one.
async function checkAccount(account) {
  const [journal, asked] = [new Map(), { account, address: account, denom, source: "usage" }];
  for (const e of await ask("settled.bank.v1.Query/JournalEntries", asked, "entries"))
    for (const p of e.postings.filter((posting) => posting.denom === denom)) {
      const sign = BigInt(p.destination === account) - BigInt(p.source === account);
      add(journal, `${account} ${e.kind.replace(/^escrow_.*/, "escrow")}`, sign * BigInt(p.amount));
      add(journal, "balance", sign * BigInt(p.amount));
    }
  for (const { amount: held } of await ask("cosmos.bank.v1beta1.Query/Balance", asked, "balance"))
    same(`${account}: balance`, journal.get("balance"), held);
  for (const [k, sum] of moved) if (k.startsWith(account)) same(k, sum, journal.get(k) ?? 0n);
  for (const e of await ask(`${DEPLOYED}/RewardHistory`, asked, "entries"))
    add(rewards, e.referenceId, -amount(e.amount));
}
for (const order of node === "none" ? [] : orders) await checkOrder(order);
const accounts = new Set([...moved.keys()].map((key) => key.split(" ")[0]));
for (const account of accounts) await checkAccount(account);
for (const [id, left] of rewards) same(`reward of ${id}, due less shown`, 0n, left);
const shown = { jobs: jobs.size, ...total, ...units, denom, differences: differences.length };
const json = JSON.stringify({ ...shown, units }, (_, v) => (typeof v === "bigint" ? `${v}` : v));
flag("-o") === "json" ? console.log(json) : console.table(shown);
for (const difference of differences.slice(0, 50)) console.error(difference);
process.exitCode = differences.length === 0 ? 0 : 1;
