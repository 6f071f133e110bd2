import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { verifyProof } from "../../src/lib/verify_proof.ts";

/** A claim and what a verifier must answer; bytes are in hex, null is absence. */
interface ProofVector {
  readonly note: string;
  readonly root: string;
  readonly key: string;
  readonly value: string | null;
  readonly proof: string;
  readonly valid: boolean;
}

const vectors = JSON.parse(
  readFileSync(new URL("./proofs.json", import.meta.url), "utf8"),
) as ProofVector[];

for (const { note, root, key, value, proof, valid } of vectors) {
  test(`${note}: ${valid ? "holds" : "is refused"}`, () => {
    const [rootBytes, keyBytes, proofBytes] = [root, key, proof].map(bytes);
    const valueBytes = value === null ? null : bytes(value);
    expect(
      verifyProof(rootBytes as Buffer, keyBytes as Buffer, valueBytes, proofBytes as Buffer),
    ).toBe(valid);
  });
}

test("the worked example of docs/proofs.md is the first of them", () => {
  const document = readFileSync(new URL("../../docs/proofs.md", import.meta.url), "utf8");
  const example = document.slice(document.indexOf("## Example"));
  const [root, proof] = [...example.matchAll(/```\n([^`]*)```/g)].map(([, block = ""]) =>
    [...block.matchAll(/^[0-9a-f]+/gm)].map(String).join(""),
  );
  expect({ root, proof }).toEqual({ root: vectors[0]?.root, proof: vectors[0]?.proof });
});

function bytes(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}
