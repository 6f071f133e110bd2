import { DOORS } from "./doors.ts";
import { FAULT_KINDS, type Fault, faultText } from "./fault.ts";
import type { LeftOut } from "./schedule.ts";
import type { TortureResult } from "./torture.ts";
import type { FailureKind, TrialResult } from "./trial.ts";
import { amountsText, type Finding, findingText } from "./verdict.ts";

const VERDICTS: Readonly<Record<FailureKind, string>> = {
  billed_twice: "FAILED: usage is billed more than once",
  lost: "FAILED: metered usage is not billed",
  wrong_amount: "FAILED: usage is billed for another amount than metered",
  unknown: "FAILED: usage is billed that was never metered",
  daemon_failed: "FAILED: the daemon did not come to a good end",
};

/** Findings shown one by one; the rest is counted. */
const SHOWN_MAX = 20;

/** A result as JSON: amounts are decimal texts by denom. */
export function reportJson(result: TortureResult, leftOut: readonly LeftOut[]) {
  const { failure, first, schedule, smallest, tries } = result;
  const { comparison, ending, requests } = first;
  return {
    verdict: failure ?? "exact",
    ...{ seed: schedule.seed, profile: schedule.profile },
    metered: { records: comparison.meteredCount, amounts: amounts(comparison.metered) },
    billed: { records: comparison.billedCount, amounts: amounts(comparison.billed) },
    findings: comparison.findings.map(findingJson),
    daemon: { ending: ending.kind, exitCode: ending.kind === "failed" ? ending.code : null },
    requests: { ...requests, byDoor: first.requestsByDoor },
    doors: first.doors,
    faults: {
      planned: schedule.faults.length,
      applied: countKinds(first.applied),
      leftOut,
    },
    ...{ noExport: first.noExport ?? null, passedBy: first.passedBy ?? null },
    smallest: smallest?.faults ?? null,
    tries,
  };
}

function findingJson({ kind, of, times, difference, usageIds, ...units }: Finding) {
  return {
    kind,
    ...{ order: of.order, lease: of.lease, type: of.type, start: of.start, end: of.end },
    ...{ times, unitsMetered: units.unitsMetered, unitsBilled: units.unitsBilled },
    difference: amounts(difference),
    usageIds,
  };
}

function amounts(map: ReadonlyMap<string, bigint>): Record<string, bigint> {
  return Object.fromEntries(map);
}

function countKinds(faults: readonly Fault[]): Record<string, number> {
  const counts = FAULT_KINDS.map((kind): [string, number] => [
    kind,
    faults.filter((fault) => fault.kind === kind).length,
  ]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** A result for people. */
export function reportText(result: TortureResult, leftOut: readonly LeftOut[]): string {
  const { failure, first, schedule, smallest } = result;
  const { comparison } = first;
  const side = (count: number, map: ReadonlyMap<string, bigint>) =>
    `${amountsText(map)} in ${count} records`;
  const rows: [string, string][] = [
    ["metered", side(comparison.meteredCount, comparison.metered)],
    ["billed", side(comparison.billedCount, comparison.billed)],
    ["seed", `${schedule.seed}, profile ${schedule.profile || "of the file"}`],
    ["requests", requestsText(first)],
    ["faults", faultsText(first, schedule.faults.length)],
    ...leftOut.map(({ kind, needs }): [string, string] => ["left out", `${kind}: needs ${needs}`]),
    ...doorRows(first),
    ...(first.passedBy === undefined ? [] : [["beware", PASSED_BY] satisfies [string, string]]),
  ];
  const lines = [
    failure === undefined ? "exact: the chain bills what was metered" : VERDICTS[failure],
    ...rows.map(([name, value]) => `  ${name.padEnd(9)} ${value}`),
    ...comparison.findings.slice(0, SHOWN_MAX).map((finding) => `  - ${findingText(finding)}`),
  ];
  const more = comparison.findings.length - SHOWN_MAX;
  if (more > 0) lines.push(`  - and ${more} more`);
  lines.push(...endingLines(first));
  if (smallest !== undefined) lines.push(...smallestLines(smallest.faults, result.tries));
  return `${lines.join("\n")}\n`;
}

const PASSED_BY =
  "usage came onto the chain, and no broadcast through the proxy: it went past it, or over a WebSocket";

function requestsText({ requests, requestsByDoor }: TrialResult): string {
  if (requests.any === 0) return "none came through the proxy";
  const doors = DOORS.filter((name) => requestsByDoor[name] > 0);
  const shares = doors.map((name) => `${requestsByDoor[name]} ${DOOR_NAMES[name]}`);
  return `${requests.any} (${shares.join(", ")}), ${requests.broadcast} of them broadcasts`;
}

const DOOR_NAMES = { rpc: "RPC", rest: "REST", grpc: "gRPC" };

/** What a daemon could not have used. */
function doorRows({ doors }: TrialResult): [string, string][] {
  return (["rest", "grpc"] as const)
    .filter((name) => !doors.includes(name))
    .map((name) => ["no door", `${DOOR_NAMES[name]}: the node's address is not known, --${name}`]);
}

function faultsText({ applied }: TrialResult, planned: number): string {
  const kinds = Object.entries(countKinds(applied)).map(([kind, count]) => `${count} ${kind}`);
  return `${applied.length} of ${planned} happened${kinds.length === 0 ? "" : `: ${kinds.join(", ")}`}`;
}

function endingLines({ ending, lastWords, noExport }: TrialResult): string[] {
  if (ending.kind === "done") return [];
  const unknown = noExport === undefined ? [] : [`  what it metered is not known: ${noExport}`];
  const how =
    ending.kind === "timeout" ? "did not end in time" : `ended with exit code ${ending.code}`;
  const words = lastWords === "" ? [] : lastWords.split("\n").map((line) => `    ${line}`);
  return [`  the daemon ${how}`, ...words, ...unknown];
}

function smallestLines(faults: readonly Fault[], tries: number): string[] {
  if (faults.length === 0) return [`  it fails without any fault (${tries} tries)`];
  const list = faults.map((fault) => `    ${faultText(fault)}`);
  return [`  the smallest schedule that still fails (${tries} tries):`, ...list];
}
