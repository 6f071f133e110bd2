import { joinKeys, type Key, textKey } from "../../lib/key.ts";

export const MODULE_NAME = "auth";

const prefix = (kind: number): Key => String.fromCharCode(0x01, kind) as Key;

/** 0x01 00 → Params */
export const PARAMS_KEY = prefix(0x00);
/** 0x01 01 | len(address) | address → AccountState */
export const ACCOUNT_PREFIX = prefix(0x01);
/** 0x01 02 → next account number, 8 bytes big-endian */
export const NEXT_NUMBER_KEY = prefix(0x02);

export function accountKey(address: string): Key {
  return joinKeys(ACCOUNT_PREFIX, textKey(address));
}
