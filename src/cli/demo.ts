import { BigNumber } from "bignumber.js";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Client } from "../client/client.ts";
import { QueryTotalsRequest, QueryTotalsResponse } from "../gen/settled/settlement/v1/query.ts";
import { genesisPath } from "../node/genesis_file.ts";
import { formatTime, timeOfSeconds } from "../types/time.ts";
import { makeDevHome } from "./commands/init.ts";
import { readJsonFile } from "./home.ts";
import type { Io } from "./io.ts";
import { openTestKeyring } from "./keyring/test_keyring.ts";
import { type ChainReport, writeJson } from "./running_chain.ts";

/** The demo's file covers so many seconds; its chain begins so long ago. */
const DEMO_SECONDS = 31n * 86_400n;

/** The example month, from `src` and from `dist`. */
const USAGE_FILE = fileURLToPath(new URL("../../examples/usage-month.ndjson", import.meta.url));

/** What the home notes of its demo. `stopped`: the chain went on without it. */
interface DemoNote {
  readonly state: "pending" | "done" | "stopped";
  /** Unix time of the file's zero. */
  readonly epoch: string;
}

/** A demo that is to be run, or run on. */
export interface Demo {
  readonly home: string;
  readonly epoch: bigint;
}

/**
 * Makes a dev chain in a home that has none, and tells in words what becomes of the demo.
 * @param options.demo whether a new chain gets the demo; without it a demo cut short is given up
 * @returns the demo to run, if there is one
 */
export async function prepareDevHome(
  home: string,
  options: { readonly demo: boolean; readonly io: Io },
): Promise<Demo | undefined> {
  const { demo, io } = options;
  const note = (await readJsonFile(notePath(home))) as DemoNote | undefined;
  if ((await readJsonFile(genesisPath(home))) === undefined) {
    if (!demo) {
      await makeDevHome(home, "now");
      return undefined;
    }
    const epoch = BigInt(Math.floor(Date.now() / 1000)) - DEMO_SECONDS;
    // Before the chain: a chain without a note is somebody else's, and gets no demo.
    await writeNote(home, { state: "pending", epoch: epoch.toString() });
    await makeDevHome(home, formatTime(timeOfSeconds(epoch)));
    return { home, epoch };
  }
  if (note?.state === "pending") {
    if (demo) {
      io.err("the demo of this home was cut short: it goes on where it stopped\n");
      return { home, epoch: BigInt(note.epoch) };
    }
    await writeNote(home, { ...note, state: "stopped" });
  }
  io.err(`this home has a chain already: it is kept, and no demo is run (${home})\n`);
  return undefined;
}

function notePath(home: string): string {
  return join(home, "demo.json");
}

async function writeNote(home: string, note: DemoNote): Promise<void> {
  await writeJson(notePath(home), note);
}

/**
 * Replays the example month through the provider daemon, in virtual time up to now, then lets the
 * chain go on by the wall clock. The node's time must be virtual until then. What an earlier run
 * has done is left alone, so that a demo can be cut short anywhere and run again.
 */
export async function runDemo(demo: Demo, report: ChainReport, io: Io): Promise<void> {
  const { home, epoch } = demo;
  io.err("replaying a month of metered jobs (examples/usage-month.ndjson) …\n");
  const client = await Client.connect(report.endpoints.rpc);
  const keyring = openTestKeyring(join(home, "keyring-test"), report.bech32Prefix);
  const { runReplay } = await import("../provider/replay.ts");
  const customers = report.accounts.filter(({ role }) => role === "customer");
  await runReplay(
    {
      ...{ client, file: USAGE_FILE, format: "metrics", windowSeconds: 3600, epoch },
      provider: await keyring.signer("provider-1"),
      customers: await Promise.all(customers.map(({ name }) => keyring.signer(name))),
      ...{ unitRounding: "floor", withOrders: true, escrowMargin: "1", ackShare: "1" },
      virtualTime: true,
    },
    { err: (text) => io.err(text), terminal: io.interactive },
  );
  await client.devUseWallClock();
  await writeNote(home, { state: "done", epoch: epoch.toString() });
}

/** What the whole chain has settled so far. */
export async function demoTotals(report: ChainReport): Promise<QueryTotalsResponse> {
  const client = await Client.connect(report.endpoints.rpc);
  const path = "/settled.settlement.v1.Query/Totals";
  return client.query(path, QueryTotalsRequest, {}, QueryTotalsResponse);
}

/** The totals for people, and what to try next. */
export function demoText(home: string, totals: QueryTotalsResponse): string {
  const count = (value: bigint) => grouped(value.toString());
  const coins = (list: QueryTotalsResponse["settled"]) =>
    list.map(({ amount, denom }) => `${grouped(amount)} ${denom}`).join(", ") || "nothing";
  const rows = [
    ["orders", count(totals.escrows)],
    ["usage records", count(totals.usageRecords)],
    ["invoices", count(totals.invoices)],
    ["settled", coins(totals.settled)],
    ["platform fees", coins(totals.platformFees)],
    ["validator fees", coins(totals.validatorFees)],
    ["rewards", coins(totals.rewards)],
  ];
  const lines = rows.map(([name = "", value = ""]) => `  ${name.padEnd(16)}${value}`);
  const commands = tryNext(home).map((command) => `  ${command}`);
  return ["a month of metered jobs", ...lines, "try next", ...commands, ""].join("\n");
}

/** Three commands to copy. */
function tryNext(home: string): string[] {
  const at = `--home ${quoted(fromHere(home))}`;
  return [
    `query settlement totals ${at}`,
    `query settlement invoices-by-order order/web-01 ${at}`,
    `tx settlement create-escrow order-1 5000000uve --expires-in 30d --from customer-1 -y ${at}`,
  ].map((words) => `${programName()} ${words}`);
}

/** How this program is started from here: as an installed command, or by its file. */
function programName(): string {
  const file = fileURLToPath(new URL("./main.js", import.meta.url));
  return file.includes("node_modules") ? "npx settled" : `node ${quoted(fromHere(file))}`;
}

function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== "" && short.length < path.length ? short : path;
}

/** As one word of a shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_./=:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** "1234567" as "1,234,567". */
function grouped(digits: string): string {
  return new BigNumber(digits).toFormat();
}
