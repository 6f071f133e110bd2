import { STATUS, UnaryError } from "../services/unary.ts";

/** The header, in metadata and in HTTP, that asks for a height and tells of which one an answer is. */
export const HEIGHT_HEADER = "x-cosmos-block-height";

/** The height that a caller asks for; 0n, the latest, when none. @throws UnaryError */
export function askedHeight(text: string | undefined): bigint {
  if (text === undefined || text === "") return 0n;
  const height = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (height !== undefined && height <= 9_223_372_036_854_775_807n) return height;
  const found = text.slice(0, 40);
  throw new UnaryError(
    STATUS.invalidArgument,
    `${HEIGHT_HEADER} is a height, 0 or none for the latest; found "${found}"`,
  );
}
