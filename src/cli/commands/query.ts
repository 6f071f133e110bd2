import { Command } from "commander";
import { messageToJson } from "../../codec/proto_json.ts";
import { messageTypeNamed } from "../../codec/message_types.ts";
import type { Client } from "../../client/client.ts";
import { CliError, usageError } from "../cli_error.ts";
import { type Context, connect, contextOf, type NodeFlags, withNodeFlag } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { type GeneratedCommand, moduleCommands } from "../generated_commands.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { addPageFlags, isPaged, readFlags, readPage } from "../message_flags.ts";
import { printList, printResult } from "../output.ts";
import { provedQuery } from "../proved_query.ts";
import { txJson } from "../tx_json.ts";
import { valueContext } from "../value_context.ts";

const TAKEN = ["node", "height", "prove", "proof-file", "output", "home", "help"];

interface QueryFlags extends NodeFlags {
  height?: string;
  prove?: boolean;
  proofFile?: string;
}

/** `settled query …` */
export function queryCommand(io: Io): Command {
  const command = new Command("query")
    .alias("q")
    .description("ask a node")
    .addHelpText(
      "after",
      examples(
        "query bank balance alice uve --height 120",
        "query settlement escrow escrow-1 --prove --proof-file escrow-1.proof.json",
      ),
    );
  const generated = moduleCommands({
    kind: "Query",
    taken: TAKEN,
    finish: (each) => finish(io, each),
  });
  for (const module of generated) command.addCommand(module);
  return command.addCommand(txCommand(io)).addCommand(txsCommand(io)).addCommand(blockCommand(io));
}

function finish(io: Io, generated: GeneratedCommand): void {
  const { command, input, flags } = generated;
  const paged = isPaged(input);
  if (paged) addPageFlags(command);
  withStateFlags(withNodeFlag(command)).action(async (...all: unknown[]) => {
    const self = all.at(-1) as Command;
    const options = self.opts<QueryFlags & Record<string, unknown>>();
    const context = contextOf(io, self);
    const values = await valueContext(context);
    const message = readFlags(flags, self.args, options, values);
    const page = paged ? readPage(options) : undefined;
    if (page !== undefined) message["pagination"] = page;
    const client = await connect(context, options);
    const response = await ask(context, client, generated, { message, options });
    printResult(io, context.format, response.json);
    if (context.format === "text") io.err(`as of height ${response.height}\n`);
  });
}

/** The response as JSON. */
async function ask(
  context: Context,
  client: Client,
  { service, method }: GeneratedCommand,
  { message, options }: { message: Record<string, unknown>; options: QueryFlags },
): Promise<{ json: unknown; height: bigint }> {
  const [request, response] = [messageTypeNamed(method.input), messageTypeNamed(method.output)];
  const { codec } = request;
  const data = codec.encode(codec.fromPartial(message)).finish();
  const path = `/${service}/${method.name}`;
  const height = await queryHeightOf(client, options.height);
  const file = options.proofFile;
  const { value, height: asOf } =
    options.prove === true || file !== undefined
      ? await provedQuery(context, client, { path, data, height, file })
      : await client.queryRaw(path, data, { height });
  const json = messageToJson(response.name, response.codec.decode(value) as object);
  return { json, height: asOf };
}

function withStateFlags(command: Command): Command {
  return command
    .option("--height <number>", "as of this block; -10 is ten blocks ago")
    .option("--prove", "ask for a proof and verify it; for queries of single records")
    .option("--proof-file <file>", "write the proof there, for `settled proof verify`");
}

/** 0 is the latest height; before the first state that is kept, the first. */
async function queryHeightOf(client: Client, text: string | undefined): Promise<bigint> {
  return heightOf(text, async () => {
    const { latestHeight, earliestQueryHeight } = await client.status();
    return { latest: latestHeight, earliest: earliestQueryHeight };
  });
}

async function blockHeightOf(client: Client, text: string | undefined): Promise<bigint> {
  return heightOf(text, async () => {
    const { latestHeight, earliestHeight } = await client.status();
    return { latest: latestHeight, earliest: earliestHeight };
  });
}

/** 0 is the latest height. */
async function heightOf(
  text: string | undefined,
  kept: () => Promise<{ latest: bigint; earliest: bigint }>,
): Promise<bigint> {
  if (text === undefined || text === "latest") return 0n;
  if (!/^-?[0-9]{1,18}$/.test(text)) {
    throw usageError(`--height: expected a block height, found "${text}"`);
  }
  const height = BigInt(text);
  if (height >= 0n) return height;
  const { latest, earliest } = await kept();
  return latest + height < earliest ? earliest : latest + height;
}

function txCommand(io: Io): Command {
  return withNodeFlag(new Command("tx").argument("<hash>", "64 hex digits"))
    .description("a tx by its hash")
    .addHelpText("after", examples("query tx 0A1B…"))
    .action(async (hash: string, flags: NodeFlags, self: Command) => {
      const context = contextOf(io, self);
      const client = await connect(context, flags);
      const found = await client.tx(hash);
      if (found === undefined) {
        throw new CliError(EXIT.notFound, "not_found", `tx ${hash} is in no block`, {
          hint: "a tx just sent takes a block to show up; a refused one never does",
        });
      }
      printResult(io, context.format, txJson(found));
    });
}

interface TxsFlags extends NodeFlags {
  query: string;
  page: string;
  limit: string;
  order: string;
}

function txsCommand(io: Io): Command {
  const command = new Command("txs")
    .description("txs that match a query over their events")
    .requiredOption("--query <text>", "such as message.sender='ve1…' AND tx.height>5")
    .option("--page <number>", "from 1", "1")
    .option("--limit <number>", "txs per page, at most 100", "30")
    .option("--order <asc|desc>", "by height", "asc");
  return withNodeFlag(command)
    .addHelpText("after", examples(`query txs --query "tx.height>0" --order desc --limit 5`))
    .action(async (flags: TxsFlags, self: Command) => {
      const context = contextOf(io, self);
      if (!/^[1-9][0-9]{0,8}$/.test(flags.page)) throw usageError("--page: a number from 1");
      if (!/^[1-9][0-9]{0,2}$/.test(flags.limit)) throw usageError("--limit: 1 to 100");
      if (!["asc", "desc"].includes(flags.order)) throw usageError("--order is asc or desc");
      const client = await connect(context, flags);
      const { txs, total } = await client.searchTxs(flags.query, {
        ...{ page: Number(flags.page), perPage: Number(flags.limit) },
        descending: flags.order === "desc",
      });
      if (context.format === "json")
        return printResult(io, "json", { total, txs: txs.map(txJson) });
      printList(io, "text", txs, [
        { title: "HEIGHT", text: (tx) => String(tx.height), right: true },
        { title: "HASH", text: (tx) => tx.hash, keep: true },
        { title: "CODE", text: (tx) => String(tx.code), right: true },
        { title: "GAS", text: (tx) => String(tx.gasUsed), right: true },
        { title: "MESSAGES", text: (tx) => txJson(tx).messages.map(shortType).join(", ") },
      ]);
      io.err(`${txs.length} of ${total}\n`);
    });
}

function shortType(message: unknown): string {
  const type = (message as { "@type"?: string })["@type"] ?? "";
  return type.slice(type.lastIndexOf(".") + 1);
}

function blockCommand(io: Io): Command {
  return withNodeFlag(
    new Command("block").argument("[height]", "latest by default; -1 is the one before"),
  )
    .description("a block")
    .addHelpText("after", examples("query block", "query block 5 -o json"))
    .action(async (height: string | undefined, flags: NodeFlags, self: Command) => {
      const context = contextOf(io, self);
      const client = await connect(context, flags);
      const at = await blockHeightOf(client, height);
      const params = at === 0n ? {} : { height: at.toString() };
      printResult(io, context.format, await client.rpc.call("block", params));
    });
}
