// A daemon of a hundred lines: bills the windows of a file one by one, each with a tx of its own.
//
//   node tiny_daemon.mjs HABIT FOLDER [rpc|grpc|rest [ADDRESS]]
//
// FOLDER has its key and the file (ready.mjs), and is where it keeps its journal. It speaks one
// protocol and no other; the node's address is otherwise taken from the environment.
//
// `careful` asks the chain before it sends anything again. The other habits are mistakes that
// daemons make: `shifts` sends a window again under another period when it got no answer, `gives_up`
// goes on to the next window instead, and `recounts` counts a window anew after a restart without
// forgetting what it had counted of it.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { signerFromPrivateKey } from "../../../dist/client/signer.js";
import { buildTx } from "../../../dist/client/tx_builder.js";
import { signedReport } from "../../../dist/provider/reports.js";

const [habit, folder, door = "rpc", address] = process.argv.slice(2);
const file = join(folder, "metered.ndjson");
const journal = join(folder, "journal");
const DAY = 86_400n;
const GAS = 200_000n;
const MS_PER_UNIT = 3_600_000n;
const PRICE = 1500n;

const signer = signerFromPrivateKey(
  Buffer.from(readFileSync(join(folder, "key"), "utf8"), "hex"),
  "ve",
);
const isRestart = existsSync(journal);
const done = isRestart ? readFileSync(journal, "utf8").split("\n").length - 1 : 0;
if (!isRestart) appendFileSync(journal, "");

/** Tries until it works. */
async function stubbornly(work) {
  for (;;) {
    try {
      return await work();
    } catch {
      await sleep(40);
    }
  }
}

const { connect } = await import(`./chain_${door}.mjs`);
const chain = await stubbornly(() => connect(address));

function reportOf(row, factor) {
  const usageUnits = (BigInt(row.cpu_milliseconds) / MS_PER_UNIT) * factor;
  return {
    ...{ orderId: row.order, leaseId: row.lease, usageType: "cpu", usageUnits },
    ...{ periodStart: BigInt(row.start), periodEnd: BigInt(row.end), denom: "uve" },
    ...{ unitPrice: PRICE * 10n ** 18n, cost: usageUnits * PRICE },
  };
}

/** @throws when there is no answer */
async function send(report) {
  const { accountNumber, sequence } = await stubbornly(() => chain.account(signer.address));
  const tx = buildTx({
    ...{ signer, chainId: chain.chainId, accountNumber, sequence },
    messages: [signedReport(report, signer, chain.chainId)],
    fee: { amount: [{ denom: "uve", amount: "5000" }], gasLimit: GAS },
  });
  const { hash, code } = await chain.broadcast(tx);
  if (code === 0) await chain.waitForTx(hash, 1500);
}

async function isBilled({ orderId, periodStart }) {
  const starts = await stubbornly(() => chain.billedStarts(orderId));
  return starts.includes(periodStart);
}

async function bill(report) {
  for (let tries = 0; ; tries += 1) {
    if (tries > 20) throw new Error(`no way to bill ${report.periodStart}`);
    if (await isBilled(report)) return;
    try {
      await send(report);
    } catch {
      if (habit === "gives_up") return;
      if (habit === "shifts") await shifted(report);
      await sleep(40);
    }
  }
}

async function shifted(report) {
  const { periodStart, periodEnd } = report;
  const other = { ...report, periodStart: periodStart - DAY, periodEnd: periodEnd - DAY };
  await send(other).catch(() => undefined);
}

const rows = readFileSync(file, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));
let owes = habit === "recounts" && isRestart;
for (const [index, row] of rows.entries()) {
  if (index < done) continue;
  const factor = owes && !(await isBilled(reportOf(row, 1n))) ? 2n : 1n;
  if (factor === 2n) owes = false;
  await bill(reportOf(row, factor));
  appendFileSync(journal, `${row.start}\n`);
}
