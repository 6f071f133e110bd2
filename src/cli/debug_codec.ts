import { hexToJson, jsonToHex } from "./presence_codec.ts";
import { toJson } from "./output.ts";

/**
 * One line of `debug codec`: {type_url, hex} or {type_url, json} with the missing form added. A line
 * that has both is checked. Whatever is wrong becomes an `error` field.
 */
export function codecLine(line: string): string {
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch (error) {
    return toJson({ line: line.slice(0, 200), error: `not JSON: ${messageOf(error)}` });
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return toJson({ line: line.slice(0, 200), error: "expected a JSON object" });
  }
  try {
    return toJson({ ...input, ...missingForm(input as Record<string, unknown>) });
  } catch (error) {
    return toJson({ ...input, error: messageOf(error) });
  }
}

function missingForm(input: Record<string, unknown>): object {
  const { type_url: typeUrl, hex, json } = input;
  if (typeof typeUrl !== "string") throw new Error("type_url: expected text");
  if (hex !== undefined && typeof hex !== "string") throw new Error("hex: expected text");
  if (hex === undefined && json === undefined) throw new Error("expected hex or json");
  if (hex === undefined) return { hex: jsonToHex({ typeUrl, json }) };
  if (json === undefined) return { json: hexToJson({ typeUrl, hex }) };
  if (jsonToHex({ typeUrl, json }) === hex.trim().toLowerCase()) return {};
  throw new Error("hex and json are not the same message");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
