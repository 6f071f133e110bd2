import type { Invariant } from "../../baseapp/module.ts";
import { JournalEntry } from "../../gen/settled/bank/v1/state.ts";
import { assert, must } from "../../lib/assert.ts";
import { equalBytes, EMPTY_BYTES } from "../../lib/bytes.ts";
import type { Key } from "../../lib/key.ts";
import { type BankKeeper, journalHash, readAmount } from "./keeper.ts";
import * as keys from "./keys.ts";

/** What must hold after every block, by quantities that are kept as coins move. */
export function bankInvariants(keeper: BankKeeper): Invariant[] {
  return [
    {
      name: "I-05 the supply of every denom is the sum of its balances",
      check: (ctx) => {
        for (const prefix of [keys.SUPPLY_PREFIX, keys.BALANCE_SUM_PREFIX]) {
          for (const [key] of ctx.kv.iterate(prefix)) {
            const denom = key.slice(prefix.length) as Key;
            const supply = readAmount(ctx, `${keys.SUPPLY_PREFIX}${denom}` as Key);
            const sum = readAmount(ctx, `${keys.BALANCE_SUM_PREFIX}${denom}` as Key);
            assert(supply === sum, "I-05 bank: supply differs from balances", {
              denom,
              supply,
              sum,
            });
          }
        }
      },
    },
    {
      name: "I-18 the journal is chained",
      check: (ctx) => {
        const { count, hash } = keeper.journalHead(ctx);
        if (count === 0n) return;
        const bytes = must(ctx.kv.get(keys.journalKey(count)), "I-18 bank: last entry is missing");
        const entry = JournalEntry.decode(bytes);
        const before = count === 1n ? undefined : ctx.kv.get(keys.journalKey(count - 1n));
        const previous = before === undefined ? EMPTY_BYTES : JournalEntry.decode(before).hash;
        const same = equalBytes(hash, journalHash(ctx, previous, entry));
        assert(entry.seq === count && same, "I-18 bank: journal head differs", { count });
      },
    },
  ];
}
