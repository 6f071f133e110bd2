import type { TimeNs } from "../types/time.ts";
import type { Context } from "./context.ts";
import { openKeyring } from "./context.ts";
import type { ValueContext } from "./flag_values.ts";
import type { KeyInfo } from "./keyring/keyring.ts";

/** Turns names of keys into addresses, and "now" into the clock's time. */
export async function valueContext(context: Context, backend?: string): Promise<ValueContext> {
  const keys = await knownKeys(context, backend);
  return {
    address: (text) => keys.find(({ name }) => name === text)?.address ?? text,
    now: () => (BigInt(Date.now()) * 1_000_000n) as TimeNs,
  };
}

/** Keys of the home. A keyring that cannot be read only takes the names away. */
async function knownKeys(context: Context, keyringBackend?: string): Promise<KeyInfo[]> {
  try {
    const { keyring } = await openKeyring(context, { keyringBackend });
    return await keyring.list();
  } catch {
    return [];
  }
}
