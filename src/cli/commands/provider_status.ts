import { Command } from "commander";
import type { LiveFacts, StatusReport } from "../../provider/daemon/status.ts";
import { RECORD_STATES } from "../../provider/outbox/outbox_record.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { atDesk } from "../provider_home.ts";
import { renderTable } from "../table.ts";

/** `settled provider status` */
export function providerStatusCommand(io: Io): Command {
  return new Command("status")
    .description("what the daemon has metered, and what has become of it on the chain")
    .addHelpText("after", examples("provider status", "provider status -o json"))
    .action(async (_flags: object, self: Command) => {
      const context = contextOf(io, self);
      const report = await atDesk(context, (desk) => desk.status());
      printResult(io, context.format, report, (it: StatusReport) => statusText(it, io.columns));
    });
}

function statusText(report: StatusReport, width: number | undefined): string {
  const { daemon, counts, amounts, money, oldestPending, stuck, unpriced } = report;
  const states = RECORD_STATES.map((state) => ({ state, records: counts[state] }));
  const denoms = amounts.map(({ denom }) => denom);
  const columns = [
    { title: "RECORDS", text: ({ state }: { state: string }) => state },
    { title: "COUNT", text: (row: { records: number }) => String(row.records), right: true },
    ...amounts.map((amount) => ({
      title: amount.denom.toUpperCase(),
      text: ({ state }: { state: string }) => amount[state as keyof typeof amount],
      right: true,
    })),
  ];
  const lines = [
    ...(daemon === undefined ? ["daemon        not running"] : liveLines(daemon)),
    `metered       ${moneyText(denoms, amounts) || "-"}`,
    `settled       ${money.settled || "-"}, of it the provider's share ${money.share || "-"}`,
    `paid          ${money.paid || "-"}`,
    ...Object.entries(money.waiting).map(([state, sum]) => `payout ${state.padEnd(7)}${sum}`),
    ...(money.refunded === "" ? [] : [`refunded      ${money.refunded}`]),
    `last window   ${report.lastWindowEnd === undefined ? "-" : timeText(report.lastWindowEnd * 1000)}`,
    `oldest waits  ${oldestPending === undefined ? "-" : `${oldestPending.ageSeconds} s (${oldestPending.key})`}`,
    `outbox        ${report.outboxBytes} bytes`,
  ];
  const waiting = unpriced.length === 0 ? "" : `\nWindows without a price:\n${bullets(unpriced)}`;
  const holds = report.held.map(({ order, sinceMs, untilMs, reason }) => {
    return `${order} since ${timeText(sinceMs)}, tried again ${timeText(untilMs)}: ${reason}`;
  });
  const later = holds.length === 0 ? "" : `\nOrders that wait by themselves:\n${bullets(holds)}`;
  const reasons = stuck.map(({ key, state, reason }) => `${state} ${key}: ${reason}`);
  const held =
    reasons.length === 0 ? "" : `\nWaiting for you (retry or park):\n${bullets(reasons)}`;
  const disputed = money.disputes.length === 0 ? "" : `\nDisputed:\n${bullets(money.disputes)}`;
  const table = renderTable(states, columns as never, width);
  const live = daemon === undefined ? "" : liveTables(daemon, width);
  return `${lines.join("\n")}\n\n${table}${waiting}${later}${held}${disputed}${live}`;
}

function moneyText(
  denoms: readonly string[],
  amounts: readonly { readonly metered: string }[],
): string {
  return amounts.map(({ metered }, at) => `${metered}${denoms[at]}`).join(", ");
}

function liveLines(daemon: LiveFacts): string[] {
  const { pid, startedMs, chainId, provider, funds, unhealthy, txsInFlight } = daemon;
  const health = unhealthy.length === 0 ? "ok" : unhealthy.join("; ");
  return [
    `daemon        pid ${pid} since ${timeText(startedMs)}, ${health}`,
    `chain         ${chainId || "not reached yet"}`,
    `provider      ${provider}`,
    `gas funds     ${funds === undefined ? "not known yet" : funds.amount + funds.denom}`,
    `in flight     ${txsInFlight} txs`,
  ];
}

function liveTables({ nodes, sources, faults }: LiveFacts, width: number | undefined): string {
  const nodeTable = renderTable(
    nodes,
    [
      { title: "NODE", text: ({ url }) => url, keep: true },
      { title: "UP", text: ({ isUp }) => (isUp ? "yes" : "no") },
      { title: "HEIGHT", text: ({ height }) => height, right: true },
      { title: "FAULT", text: ({ fault }) => fault },
    ],
    width,
  );
  const sourceTable = renderTable(
    sources,
    [
      { title: "SOURCE", text: ({ kind, name }) => `${kind} ${name}`, keep: true },
      { title: "READS", text: ({ reads }) => String(reads), right: true },
      { title: "LAST", text: ({ readMs }) => (readMs === undefined ? "-" : timeText(readMs)) },
      { title: "STATE", text: ({ fault, isEnded }) => fault || (isEnded ? "ended" : "ok") },
    ],
    width,
  );
  const recent = faults.slice(0, 10).map(({ atMs, place, text }) => {
    return `${timeText(atMs)} ${place}: ${text}`;
  });
  const told = recent.length === 0 ? "" : `\nFaults, the newest first:\n${bullets(recent)}`;
  return `\n${nodeTable}\n${sourceTable}${told}`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}\n`).join("");
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.[0-9]{3}Z$/, "Z");
}
