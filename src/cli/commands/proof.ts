import { readFile, stat } from "node:fs/promises";
import { Command } from "commander";
import { Client } from "../../client/client.ts";
import { toHex } from "../../lib/bytes.ts";
import { usageError } from "../cli_error.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { checkProof } from "../proof_check.ts";
import { parseAppHash, parseProofFile, type ProofFile, proofError } from "../proof_file.ts";
import { recordLine, recordWords, type RecordWords, responseWords } from "../proof_words.ts";

interface VerifyFlags {
  appHash?: string;
  node?: string;
}

/** `settled proof …` */
export function proofCommand(io: Io): Command {
  const verify = new Command("verify")
    .argument("<file>", "as --proof-file of a query writes it")
    .description("check the proof of an answer; needs no node")
    .option("--app-hash <hex>", "the app hash that you trust for the height of the file")
    .option("--node <url>", "take the app hash from this node: from the header of the next block")
    .addHelpText(
      "after",
      `
Without --app-hash and --node the app hash is that of the file, which then vouches for itself only.
${examples(
  "query settlement escrow escrow-1 --prove --proof-file escrow-1.proof.json",
  "proof verify escrow-1.proof.json --node http://127.0.0.1:26657",
)}`,
    )
    .action(async (path: string, flags: VerifyFlags, self: Command) => {
      const { format } = contextOf(io, self);
      if (flags.appHash !== undefined && flags.node !== undefined) {
        throw usageError("give --app-hash or --node, not both");
      }
      const file = parseProofFile(await textOfFile(path));
      const trusted = await trustedHash(file, flags);
      await checkProof(file, trusted.appHash);
      printResult(io, format, reportOf(file, trusted), reportText);
    });
  return new Command("proof").description("proofs of answers").addCommand(verify);
}

/** More than 64 proofs, their records and an answer of the largest size take as base64. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

async function textOfFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw usageError(`${path}: no such file`);
  if (found.isDirectory()) throw usageError(`${path}: a folder, expected a file`);
  if (found.size > FILE_BYTES_MAX) {
    throw proofError(`${path}: ${found.size} bytes, no proof file has more than ${FILE_BYTES_MAX}`);
  }
  return readFile(path, "utf8");
}

interface Trusted {
  readonly appHash: Uint8Array;
  readonly source: "flag" | "header" | "results" | "file";
  readonly words: string;
}

async function trustedHash(file: ProofFile, flags: VerifyFlags): Promise<Trusted> {
  if (flags.appHash !== undefined) {
    const appHash = appHashFlag(flags.appHash);
    return { appHash, source: "flag", words: "the one given by --app-hash" };
  }
  if (flags.node === undefined) {
    const words = "the file's own: it vouches for itself only, until --node or --app-hash does";
    return { appHash: file.appHash, source: "file", words };
  }
  const client = await Client.connect(flags.node);
  if (client.chainId !== file.chainId) {
    throw proofError(`the file is of chain ${file.chainId}, the node of ${client.chainId}`);
  }
  const { latestHeight } = await client.status();
  if (latestHeight < file.height) {
    throw proofError(`the node is at height ${latestHeight}, the file is of height ${file.height}`);
  }
  const { appHash, inHeader } = await client.appHashAfter(file.height);
  if (inHeader) {
    const words = `that of header ${file.height + 1n} at ${client.rpc.url}`;
    return { appHash, source: "header", words };
  }
  const words = `that of the results of block ${file.height} at ${client.rpc.url}; no header has it yet`;
  return { appHash, source: "results", words };
}

function appHashFlag(text: string): Uint8Array {
  try {
    return parseAppHash(text, "--app-hash");
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

interface Report {
  readonly verified: true;
  readonly chain_id: string;
  readonly height: bigint;
  readonly app_hash: string;
  readonly app_hash_from: Trusted["source"];
  readonly path: string;
  readonly found: boolean;
  readonly response: unknown;
  readonly records: readonly RecordWords[];
  /** Where the app hash is from, for people. */
  readonly note: string;
}

function reportOf(file: ProofFile, { appHash, source, words }: Trusted): Report {
  const { path, height, code, response } = file;
  return {
    ...{ verified: true, chain_id: file.chainId, height },
    ...{ app_hash: toHex(appHash).toUpperCase(), app_hash_from: source, path, found: code === 0 },
    response: code === 0 ? responseWords(path, response) : null,
    records: file.records.map(recordWords),
    note: words,
  };
}

function reportText(report: Report): string {
  const lines = report.records.map((record) => `  ${recordLine(record)}`);
  return [
    `the proof holds: height ${report.height} of ${report.chain_id}`,
    `app hash ${report.app_hash} (${report.note})`,
    "records:",
    ...lines,
    `the answer to ${report.path} follows from them${report.found ? "" : ": there is none"}`,
    "",
  ].join("\n");
}
