import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ProviderError } from "../errors.ts";
import { quantityText } from "../reconcile/quantity.ts";
import type { Decided } from "./look.ts";

/** Longest reason of a dispute in bytes of UTF-8, by the chain's rule. */
const REASON_BYTES_MAX = 1024;

/**
 * Keeps what a dispute rests on as a file of its own, `<usage id>.json`, because the chain has its
 * hash only: the record as reported, and the second meter's rows.
 * @returns the sha256 of the file
 */
export async function keepEvidence(folder: string, { record, decision }: Decided) {
  const rows = (decision.reading?.rows ?? []).map(({ units, place, ...row }) => {
    const { numerator, denominator } = units;
    return { ...row, units: quantityText(units), exact: `${numerator}/${denominator}`, place };
  });
  const text = (_key: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  const evidence = JSON.stringify({ why: decision.why, reported: record, metered: rows }, text, 2);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${record.usageId}.json`), `${evidence}\n`);
  return sha256(Buffer.from(`${evidence}\n`));
}

/** The sha256 of a file that is shown later. @throws ProviderError `bad_file` */
export async function hashOfEvidence(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new ProviderError("bad_file", `cannot read the evidence: ${(error as Error).message}`);
  });
  return sha256(bytes);
}

/** A reason that the chain takes, cut where it is too long. */
export function reasonOf(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= REASON_BYTES_MAX) return text;
  return new TextDecoder().decode(bytes.subarray(0, REASON_BYTES_MAX - 3)).replace(/\ufffd$/u, "");
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
