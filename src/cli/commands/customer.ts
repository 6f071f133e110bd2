import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { join } from "node:path";
import type { BilledUsage } from "../../client/usage_records.ts";
import type { Answered, Objection } from "../../provider/customer/answer.ts";
import type { Decided } from "../../provider/customer/look.ts";
import { CliError, usageError } from "../cli_error.ts";
import {
  type Context,
  contextOf,
  type KeyringFlags,
  type NodeFlags,
  withKeyringFlags,
  withNodeFlag,
} from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printList } from "../output.ts";
import type { TableColumn } from "../table.ts";
import { openTxSession } from "../tx_flow.ts";

interface CustomerFlags extends NodeFlags, KeyringFlags {
  from: string;
  policy?: string;
  order?: string;
  all?: boolean;
  reason?: string;
  evidence?: string;
  every?: string;
  dryRun?: boolean;
  gasPrices?: string;
}

/** What was decided about a record, and what came of it. */
interface Row {
  readonly usage_id: string;
  readonly order_id: string;
  readonly lease_id: string;
  readonly usage_type: string;
  readonly usage_units: bigint;
  readonly period_start: bigint;
  readonly period_end: bigint;
  readonly cost: string;
  readonly action: string;
  readonly why: string;
  /** Empty when the chain took the answer, or was not asked. */
  readonly refused: string;
}

/** `settled customer …` */
export function customerCommand(io: Io): Command {
  return new Command("customer")
    .description("the customer's side: acknowledge or dispute what providers report")
    .addCommand(acknowledgeCommand(io))
    .addCommand(disputeCommand(io));
}

function acknowledgeCommand(io: Io): Command {
  const command = new Command("acknowledge")
    .argument("[usage-ids...]", "records; or --policy, or --all")
    .description(
      "acknowledge usage: records by name, all, or those that a second meter agrees with",
    )
    .option("--all", "all that is open, without looking at it");
  return withCommonFlags(command)
    .addHelpText(
      "after",
      examples(
        "customer acknowledge usage-12-1 usage-12-2 --from customer-1",
        "customer acknowledge --from customer-1 --policy policy.yaml --dry-run",
        "customer acknowledge --from customer-1 --policy policy.yaml --every 60",
      ),
    )
    .action((ids: string[], flags: CustomerFlags, self: Command) => {
      return again(flags, () => answer(io, "acknowledge", ids, flags, self));
    });
}

function disputeCommand(io: Io): Command {
  const command = new Command("dispute")
    .argument("[usage-ids...]", "records; or --policy")
    .description("dispute usage: records by name, or those that a second meter contradicts")
    .option("--reason <text>", "why; with --policy the two meters' numbers")
    .option("--evidence <file>", "what will be shown: its sha256 goes to the chain");
  return withCommonFlags(command)
    .addHelpText(
      "after",
      examples(
        'customer dispute usage-12-1 --from customer-1 --reason "the job had ended"',
        "customer dispute --from customer-1 --policy policy.yaml --dry-run",
      ),
    )
    .action((ids: string[], flags: CustomerFlags, self: Command) => {
      return again(flags, () => answer(io, "dispute", ids, flags, self));
    });
}

function withCommonFlags(command: Command): Command {
  command
    .requiredOption("--from <key>", "name or address of the customer's key")
    .option("--policy <file>", "how to decide (docs/guides/customer.md)")
    .option("--order <id>", "only records of this order")
    .option("--every <seconds>", "look again and again, until interrupted")
    .option("--dry-run", "show what would be done, send nothing")
    .option("--gas-prices <price>", "price of a unit of gas");
  return withKeyringFlags(withNodeFlag(command));
}

async function again(flags: CustomerFlags, work: () => Promise<void>): Promise<void> {
  const seconds = parseFieldNumber("--every", flags.every);
  if (seconds === 0) throw usageError("--every is at least 1 second");
  await work();
  while (seconds !== undefined) {
    await sleep(seconds * 1000);
    await work();
  }
}

type Kind = "acknowledge" | "dispute";

async function answer(
  io: Io,
  kind: Kind,
  usageIds: readonly string[],
  flags: CustomerFlags,
  self: Command,
): Promise<void> {
  refuseMixed(kind, usageIds, flags);
  const context = contextOf(io, self);
  const session = await openTxSession(context, { ...flags, signMode: "direct", wait: true });
  const { client, key } = session;
  const { openRecords, look, named } = await import("../../provider/customer/look.ts");
  const asked = { client, customer: key.address, orderId: flags.order };
  let decided: Decided[];
  if (flags.policy !== undefined) {
    const { readPolicy } = await import("../../provider/customer/policy.ts");
    decided = await look(asked, await readPolicy(flags.policy));
  } else {
    const open = await openRecords(asked);
    const records = flags.all === true ? open : named(open, usageIds);
    const why = flags.reason ?? "by name";
    decided = records.map((record) => {
      return { record, decision: { action: kind, why, reading: undefined } };
    });
  }
  const chosen = decided.filter(({ decision }) => decision.action === kind);
  const answered = flags.dryRun === true ? [] : await send(kind, chosen, flags, context, session);
  print(io, context, decided, answered);
  if (answered.some(({ refused }) => refused !== "")) {
    throw new CliError(EXIT.txFailed, "answer_refused", "the chain refused some of the answers");
  }
}

function refuseMixed(kind: Kind, usageIds: readonly string[], flags: CustomerFlags): void {
  const ways = [usageIds.length > 0, flags.policy !== undefined, flags.all === true];
  if (ways.filter((way) => way).length !== 1) {
    const all = kind === "acknowledge" ? ", or --all" : "";
    throw usageError(`name usage records, or give --policy FILE${all}: one of them`);
  }
  if (kind === "dispute" && flags.policy === undefined && flags.reason === undefined) {
    throw usageError("a dispute needs --reason, or --policy FILE whose meter gives one");
  }
  if (flags.every !== undefined && flags.policy === undefined) {
    throw usageError("--every needs --policy FILE: what comes later has no name yet");
  }
}

async function send(
  kind: Kind,
  chosen: readonly Decided[],
  flags: CustomerFlags,
  context: Context,
  session: Awaited<ReturnType<typeof openTxSession>>,
): Promise<Answered[]> {
  if (chosen.length === 0) return [];
  const { TxSender } = await import("../../provider/submit.ts");
  const { DEFAULT_GAS_PRICE, parseGasPrice } = await import("../../provider/gas.ts");
  const { acknowledgeAll, disputeAll } = await import("../../provider/customer/answer.ts");
  const gasPrice = parseGasPrice(flags.gasPrices ?? DEFAULT_GAS_PRICE);
  const sender = new TxSender(session.client, await session.signer(), { gasPrice });
  if (kind === "acknowledge") {
    const records = chosen.map(({ record }) => record);
    return acknowledgeAll(records, sender, session.client.chainId);
  }
  const objections: Objection[] = [];
  for (const each of chosen) objections.push(await objectionOf(each, flags, context));
  return disputeAll(objections, sender);
}

async function objectionOf(
  decided: Decided,
  flags: CustomerFlags,
  context: Context,
): Promise<Objection> {
  const { keepEvidence, hashOfEvidence } = await import("../../provider/customer/evidence.ts");
  const reason = flags.reason ?? decided.decision.why;
  const { record } = decided;
  if (flags.evidence !== undefined) {
    return { record, reason, evidenceHash: await hashOfEvidence(flags.evidence) };
  }
  if (flags.policy === undefined) return { record, reason, evidenceHash: new Uint8Array(0) };
  const folder = join(context.home, "customer", "evidence");
  return { record, reason, evidenceHash: await keepEvidence(folder, decided) };
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { title: "usage", text: (row) => row.usage_id, keep: true },
  { title: "order", text: (row) => row.order_id },
  { title: "type", text: (row) => row.usage_type },
  { title: "units", text: (row) => `${row.usage_units}`, right: true },
  { title: "cost", text: (row) => row.cost, right: true },
  { title: "action", text: (row) => (row.refused === "" ? row.action : "refused"), keep: true },
  { title: "why", text: (row) => row.refused || row.why },
];

function print(
  io: Io,
  context: Context,
  decided: readonly Decided[],
  answered: readonly Answered[],
): void {
  const refusals = new Map(answered.map(({ usageId, refused }) => [usageId, refused]));
  const rows = decided.map(({ record, decision }): Row => {
    return {
      ...describe(record),
      ...{ action: decision.action, why: decision.why },
      refused: refusals.get(record.usageId) ?? "",
    };
  });
  printList(io, context.format, rows, COLUMNS);
}

function describe(record: BilledUsage) {
  return {
    ...{ usage_id: record.usageId, order_id: record.orderId, lease_id: record.leaseId },
    ...{ usage_type: record.usageType, usage_units: record.usageUnits },
    ...{ period_start: record.periodStart, period_end: record.periodEnd },
    cost: `${record.cost}${record.denom}`,
  };
}
