import type { Client } from "../client/client.ts";
import { QueryError } from "../client/errors.ts";
import type { ProvedAnswer } from "../client/proof.ts";
import { Bech32PrefixRequest, Bech32PrefixResponse } from "../gen/cosmos/auth/v1beta1/query.ts";
import { toHex } from "../lib/bytes.ts";
import { writeFileAtomic } from "./atomic_file.ts";
import type { Context } from "./context.ts";
import { checkProof } from "./proof_check.ts";
import { type ProofFile, proofFileText } from "./proof_file.ts";

/**
 * Asks with proofs, verifies them at once, and writes the proof file when one is named.
 * @throws CliError when the proof does not hold; QueryError when there is nothing, which is proved
 */
export async function provedQuery(
  { io, format }: Context,
  client: Client,
  query: { path: string; data: Uint8Array; height: bigint; file: string | undefined },
): Promise<ProvedAnswer> {
  const { path, data: request, height } = query;
  const answer = await client.queryProved(path, request, { height });
  const { appHash, inHeader } = await client.appHashAfter(answer.height);
  const { bech32Prefix } = await client.query(
    ...(["/cosmos.auth.v1beta1.Query/Bech32Prefix", Bech32PrefixRequest, {}] as const),
    Bech32PrefixResponse,
  );
  const file: ProofFile = {
    ...{ chainId: client.chainId, bech32Prefix, appHash, path, request },
    ...{ height: answer.height, response: answer.value, code: answer.code },
    ...{ log: answer.log, records: answer.records },
  };
  await checkProof(file, appHash);
  if (query.file !== undefined) {
    await writeFileAtomic(query.file, proofFileText(file), { mode: 0o644, overwrite: true });
  }
  if (format === "text") {
    const source = inHeader
      ? `in the header of block ${answer.height + 1n}`
      : `which the header of block ${answer.height + 1n} will carry`;
    const count = answer.records.length;
    const what = `${count} record${count === 1 ? "" : "s"} of height ${answer.height}`;
    io.err(`proved: ${what} against app hash ${toHex(appHash).toUpperCase()}, ${source}\n`);
    if (query.file !== undefined) io.err(`proof written to ${query.file}\n`);
  }
  if (answer.code === 0) return answer;
  throw new QueryError(path, answer.codespace, answer.code, answer.log);
}
