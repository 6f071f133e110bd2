import { assert } from "../lib/assert.ts";
import { concatBytes } from "../lib/bytes.ts";
import { bytesOfKey, i64FromKey, i64Key, keyOfBytes, u64FromKey, u64Key } from "../lib/key.ts";
import type { TimeNs } from "../types/time.ts";

/** Which state the database holds. */
export interface Version {
  readonly height: bigint;
  readonly time: TimeNs;
  /** 32 bytes. */
  readonly appHash: Uint8Array;
}

export function encodeVersion({ height, time, appHash }: Version): Uint8Array {
  return concatBytes(bytesOfKey(u64Key(height)), bytesOfKey(i64Key(time)), appHash);
}

export function decodeVersion(bytes: Uint8Array): Version {
  assert(bytes.length === 48, "version record has the wrong length", { bytes: bytes.length });
  const key = keyOfBytes(bytes.subarray(0, 16));
  const time = i64FromKey(key, 8) as TimeNs;
  return { height: u64FromKey(key, 0), time, appHash: bytes.slice(16) };
}
