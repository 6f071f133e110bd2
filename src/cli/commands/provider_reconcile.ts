import { Command } from "commander";
import type { Difference } from "../../provider/reconcile/difference.ts";
import type { PriceBook } from "../../provider/price_book.ts";
import type { Reconciliation } from "../../provider/reconcile/reconcile.ts";
import { CliError, usageError } from "../cli_error.ts";
import {
  connect,
  contextOf,
  type KeyringFlags,
  type NodeFlags,
  openKeyring,
  withKeyringFlags,
  withNodeFlag,
} from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printResult } from "../output.ts";
import { renderTable, type TableColumn } from "../table.ts";

interface ReconcileFlags extends NodeFlags, KeyringFlags {
  against: string;
  prices?: string;
  provider?: string;
  order?: string;
  since?: string;
  before?: string;
  show: string;
}

/** `settled provider reconcile` */
export function reconcileCommand(io: Io): Command {
  const command = new Command("reconcile")
    .description("compare what the chain bills with a usage file from outside, cause by cause")
    .requiredOption("--against <file>", "NDJSON or CSV: billed usage or raw metrics")
    .option(
      "--prices <file>",
      "price book for a file with raw metrics (default: the chain's prices)",
    )
    .option(
      "--provider <key>",
      "also look for records of this provider that the file does not have",
    )
    .option("--order <id>", "only this order")
    .option("--since <unix>", "only periods that begin at this time or later")
    .option("--before <unix>", "only periods that begin before this time")
    .option("--show <number>", "differences shown, the largest first", "20");
  return withKeyringFlags(withNodeFlag(command))
    .addHelpText(
      "after",
      `${examples(
        "provider reconcile --against billed.csv",
        "provider reconcile --against usage.ndjson --prices prices.yaml --provider provider-1",
      )}
Exit code 0: no difference, or only rounding and shifted windows. 12: others, all explained. 13: a
residual that nothing explains. docs/guides/reconcile.md says what each kind of difference is.
`,
    )
    .action((flags: ReconcileFlags, self: Command) => run(io, flags, self));
}

async function run(io: Io, flags: ReconcileFlags, self: Command): Promise<void> {
  const context = contextOf(io, self);
  const show = parseFieldNumber("--show", flags.show) ?? 20;
  const client = await connect(context, flags);
  const { reconcile } = await import("../../provider/reconcile/reconcile.ts");
  const result = await reconcile({
    ...{ client, file: flags.against, orderId: flags.order },
    ...{ from: unixOf("--since", flags.since), to: unixOf("--before", flags.before) },
    provider: flags.provider === undefined ? undefined : await addressOf(io, flags, self),
    priceOf: flags.prices === undefined ? undefined : await pricesOf(flags.prices),
  });
  await noteScore(context.home, result);
  printResult(io, context.format, result, (it: Reconciliation) => textOf(it, show, io.columns));
  conclude(result);
}

function unixOf(flag: string, text: string | undefined): bigint | undefined {
  const seconds = parseFieldNumber(flag, text);
  return seconds === undefined ? undefined : BigInt(seconds);
}

async function addressOf(io: Io, flags: ReconcileFlags, self: Command): Promise<string> {
  const name = flags.provider ?? "";
  const { keyring } = await openKeyring(contextOf(io, self), flags);
  const key = (await keyring.list()).find((each) => each.name === name || each.address === name);
  if (key !== undefined) return key.address;
  if (/^[a-z]+1[a-z0-9]{38,}$/.test(name)) return name;
  throw usageError(`--provider: no key and no address "${name}"`, "settled keys list");
}

async function pricesOf(file: string) {
  const { PriceBook } = await import("../../provider/price_book.ts");
  const book = await PriceBook.read(file);
  return (...args: Parameters<PriceBook["priceOf"]>) => book.priceOf(...args);
}

/** Differences of money that a settlement is right to have: nobody has to do anything. */
const HARMLESS = ["rounding", "window_shift"];

/** Tells a running daemon which share is equal, for its metrics; whole percents, rounded down. */
async function noteScore(home: string, { rows, records, differences }: Reconciliation) {
  const [{ answers, controlPath }, { RemoteDesk }] = await Promise.all([
    import("../../provider/daemon/control.ts"),
    import("../../provider/daemon/remote_desk.ts"),
  ]);
  const path = controlPath(home);
  if (!(await answers(path))) return;
  const wrong = differences.filter(({ kind }) => !HARMLESS.includes(kind)).length;
  const all = Math.max(rows, records, wrong, 1);
  await new RemoteDesk(path).noteScore(Math.floor((100 * (all - wrong)) / all));
}

function conclude({ differences, money }: Reconciliation): void {
  const residual = money.filter((line) => line.residual !== 0n);
  if (differences.some(({ kind }) => kind === "unexplained")) {
    const amounts = residual.map((line) => `${line.residual}${line.denom}`).join(", ");
    throw new CliError(
      EXIT.residual,
      "residual",
      `not explained: ${amounts || "no units, a cost"}`,
    );
  }
  const others = differences.filter(({ kind }) => !HARMLESS.includes(kind)).length;
  if (others === 0) return;
  throw new CliError(EXIT.differs, "differs", `${others} differences, all of them explained`);
}

const MONEY: readonly TableColumn<Reconciliation["money"][number]>[] = [
  { title: "denom", text: ({ denom }) => denom || "(no price)" },
  { title: "chain", text: ({ chain }) => `${chain}`, right: true },
  { title: "file", text: ({ file }) => `${file}`, right: true },
  { title: "difference", text: ({ difference }) => signed(difference), right: true },
  { title: "residual", text: ({ residual }) => `${residual}`, right: true },
];

const KINDS: readonly TableColumn<Reconciliation["kinds"][number]>[] = [
  { title: "kind", text: ({ kind }) => kind },
  { title: "count", text: ({ count }) => `${count}`, right: true },
  {
    title: "chain less file",
    text: ({ amount, denom }) => `${signed(amount)}${denom}`,
    right: true,
  },
];

const DIFFERENCES: readonly TableColumn<Difference>[] = [
  { title: "kind", text: ({ kind }) => kind, keep: true },
  { title: "order", text: ({ orderId }) => orderId },
  { title: "type", text: ({ usageType }) => usageType },
  { title: "from", text: ({ periodStart }) => timeText(periodStart), keep: true },
  { title: "amount", text: ({ amount, denom }) => `${signed(amount)}${denom}`, right: true },
  { title: "detail", text: ({ detail }) => detail },
];

function textOf(result: Reconciliation, show: number, columns: number | undefined): string {
  const { rows, records, matched, money, kinds, differences } = result;
  const largest = [...differences].sort((a, b) => (size(a.amount) > size(b.amount) ? -1 : 1));
  const more = differences.length - Math.min(show, differences.length);
  const head = `${rows} rows of the file, ${records} records on the chain, ${matched} of the same period\n`;
  const tables = [renderTable(money, MONEY, columns)];
  if (kinds.length > 0) {
    tables.push(renderTable(kinds, KINDS, columns));
    tables.push(renderTable(largest.slice(0, show), DIFFERENCES, columns));
  }
  const rest = more > 0 ? `… and ${more} more: --show ${differences.length}, or -o json\n` : "";
  return `${[head, ...tables].join("\n")}${rest}`;
}

function timeText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
}

function signed(amount: bigint): string {
  return amount > 0n ? `+${amount}` : `${amount}`;
}

function size(amount: bigint): bigint {
  return amount < 0n ? -amount : amount;
}
