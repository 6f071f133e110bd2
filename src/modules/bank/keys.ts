import { joinKeys, type Key, textKey, u64Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { Memo } from "../../lib/memo.ts";

export const MODULE_NAME = "bank";

const prefix = (module: number, kind: number): Key => String.fromCharCode(module, kind) as Key;

/** 0x02 01 | len(address) | address | denom → balance, decimal text */
export const BALANCE_PREFIX = prefix(0x02, 0x01);
/** 0x02 02 | denom → supply, decimal text (walked by the invariant) */
export const SUPPLY_PREFIX = prefix(0x02, 0x02);
/** 0x02 03 | denom → sum of all balances, decimal text */
export const BALANCE_SUM_PREFIX = prefix(0x02, 0x03);
/** 0x02 04 → JournalHead */
export const JOURNAL_HEAD_KEY = prefix(0x02, 0x04);
/** 0x02 05 | seq → JournalEntry */
export const JOURNAL_PREFIX = prefix(0x02, 0x05);
/** 0xc2 01 | len(address) | address | seq → nothing */
export const JOURNAL_BY_ACCOUNT_PREFIX = prefix(0xc2, 0x01);
/** 0xc2 02 | len(reference) | reference | seq → nothing */
export const JOURNAL_BY_REFERENCE_PREFIX = prefix(0xc2, 0x02);

/** A denom is ASCII and the end of its key: without a length, keys are in the order of coins. */
function denomKey(denom: string): Key {
  return denom as Key;
}

export function balancesOfKey(address: string): Key {
  return joinKeys(BALANCE_PREFIX, textKey(address));
}

export function balanceKey(address: string, denom: string): Key {
  return joinKeys(BALANCE_PREFIX, textKey(address), denomKey(denom));
}

/** Keys of balances that are asked for often: one put together anew is hashed anew. */
export class BalanceKeys {
  readonly #byAddress = new Memo<KeyMap<Key>>(ADDRESSES_MAX);

  of(address: string, denom: string): Key {
    let keys = this.#byAddress.get(address);
    if (keys === undefined || keys.size >= DENOMS_MAX) {
      keys = new KeyMap();
      this.#byAddress.set(address, keys);
    }
    let key = keys.get(denom);
    if (key === undefined) {
      key = balanceKey(address, denom);
      keys.set(denom, key);
    }
    return key;
  }
}

const ADDRESSES_MAX = 4096;
const DENOMS_MAX = 16;

export function supplyKey(denom: string): Key {
  return joinKeys(SUPPLY_PREFIX, denomKey(denom));
}

export function balanceSumKey(denom: string): Key {
  return joinKeys(BALANCE_SUM_PREFIX, denomKey(denom));
}

export function journalKey(seq: bigint): Key {
  return joinKeys(JOURNAL_PREFIX, u64Key(seq));
}

export function journalOfAccountKey(address: string): Key {
  return joinKeys(JOURNAL_BY_ACCOUNT_PREFIX, textKey(address));
}

export function journalOfReferenceKey(reference: string): Key {
  return joinKeys(JOURNAL_BY_REFERENCE_PREFIX, textKey(reference));
}
