import type { TestAccount } from "./accounts.ts";
import type { TestMessage } from "./messages.ts";

/** A message of settled.settlement.v1. */
export function own<T>(
  name: string,
  codec: { encode(message: T): { finish(): Uint8Array } },
  signer: TestAccount,
  value: T,
): TestMessage {
  const typeUrl = `/settled.settlement.v1.${name}`;
  return { typeUrl, value: codec.encode(value).finish(), signer };
}
