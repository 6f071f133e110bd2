import { CHAIN_ID } from "../testkit/chain.ts";
import type { Disagreement } from "./compare.ts";

/** What to paste into a test, so that it runs the same blocks. */
export function asSource({ setting, blocks }: Disagreement): string {
  const { params, extended, pool } = setting;
  const lines = blocks.map((block) => `  ${literal(block)},`);
  const head = `const setting = ${literal({ params, extended, pool })};`;
  return [head, "const blocks = [", ...lines, "];", `// chain id ${CHAIN_ID}`].join("\n");
}

function literal(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `Uint8Array.of(${[...value].join(", ")})`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).map(([key, each]) => `${key}: ${literal(each)}`);
  return `{ ${fields.join(", ")} }`;
}
