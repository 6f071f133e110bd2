import { equalBytes, toHex } from "../lib/bytes.ts";
import { failedRecord } from "../client/proof.ts";
import { type ProofFile, proofError } from "./proof_file.ts";
import { recordWords } from "./proof_words.ts";

/**
 * Checks a proof against an app hash: that every record has its proof, and that the answer follows
 * from the records, by answering the query again from them alone.
 * @throws CliError with the exit code of proofs, saying the first thing that does not hold
 */
export async function checkProof(file: ProofFile, appHash: Uint8Array): Promise<void> {
  if (!equalBytes(file.appHash, appHash)) {
    const [found, expected] = [file.appHash, appHash].map((hash) => toHex(hash).toUpperCase());
    const message = `the app hash of the file is ${found}, that of height ${file.height} is ${expected}`;
    throw proofError(message, { found, expected });
  }
  const failed = failedRecord(appHash, file.records);
  if (failed !== undefined) {
    const record = file.records.find(({ key }) => toHex(key) === failed);
    const words = record === undefined ? `key ${failed}` : recordWords(record).record;
    throw proofError(`the proof of ${words} does not hold against the app hash`, { key: failed });
  }
  await checkAnswer(file);
}

/** Loaded on use: the machine is needed for nothing else here. */
async function checkAnswer(file: ProofFile): Promise<void> {
  const { answerFromRecords } = await import("../app/query_check.ts");
  const chain = { chainId: file.chainId, bech32Prefix: file.bech32Prefix, bondDenom: "" };
  const query = { path: file.path, data: file.request, height: file.height };
  const answer = await answerFromRecords(chain, file.records, query);
  if (answer.code !== file.code) {
    const said =
      answer.code === 0 ? "an answer" : `code ${answer.code} (${JSON.stringify(answer.log)})`;
    const told = file.code === 0 ? "an answer" : `code ${file.code}`;
    throw proofError(`the records give ${said} to ${file.path}, the file says ${told}`);
  }
  if (!equalBytes(answer.value, file.response) || answer.log !== file.log) {
    throw proofError(`the response is not what the records give to ${file.path}`);
  }
}
