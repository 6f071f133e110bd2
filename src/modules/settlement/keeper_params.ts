import type { Context } from "../../baseapp/context.ts";
import { PendingParams } from "../../gen/settled/settlement/v1/state.ts";
import type { MsgUpdateParams } from "../../gen/settled/settlement/v1/tx.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseAddress } from "../../types/address.ts";
import type { Accounts } from "./accounts.ts";
import { rebaseEpochs } from "./epoch.ts";
import * as errors from "./errors.ts";
import * as events from "./events_params.ts";
import { unauthorized } from "./keeper_escrow.ts";
import { PENDING_PARAMS_KEY } from "./keys.ts";
import { validateParams } from "./params.ts";
import { type BothParams, canonicalExtended, changesOf, paramField } from "./params_change.ts";
import { writeParamsVersion } from "./params_versions.ts";
import type { Records } from "./records.ts";

/** Changes of params: proposed in one block, in force from the start of the next (RULES 7). */
export class ParamsKeeper {
  readonly #records: Records;
  readonly #accounts: Accounts;

  constructor(records: Records, accounts: Accounts) {
    this.#records = records;
    this.#accounts = accounts;
  }

  /**
   * Keeps params for the next block. Of several messages in one block each is built on what the one
   * before it left.
   * @throws ChainError settlement/1505 unless the sender is the authority that is in force;
   *   settlement/1525 naming the param
   */
  propose(ctx: Context, msg: MsgUpdateParams): { effectiveHeight: bigint; paramsVersion: bigint } {
    const rules = this.#records.params(ctx);
    const sender = parseAddress(msg.authority, ctx.chain.bech32Prefix);
    const { authority } = rules.extended;
    if (authority === "") {
      const detail = "this chain has no authority: genesis names it in extended_params.authority";
      throw new ChainError(errors.ErrUnauthorized, detail);
    }
    if (sender !== authority) throw unauthorized(sender, `authority ${authority}`);
    const before = this.#pending(ctx) ?? rules;
    const after = this.#checked(ctx, {
      wire: msg.params ?? before.wire,
      extended: msg.extendedParams ?? before.extended,
    });
    if (changesOf(before, after).length === 0) {
      const detail = "nothing changes: every param has the value that the message gives it";
      throw new ChainError(errors.ErrInvalidParams, detail);
    }
    const pending = PendingParams.encode({
      params: after.wire,
      extendedParams: after.extended,
      proposedHeight: ctx.height,
    });
    ctx.kv.set(PENDING_PARAMS_KEY, pending.finish());
    const effectiveHeight = ctx.height + 1n;
    const version = this.#records.paramsVersion(ctx) + 1n;
    const changes = changesOf(rules, after);
    ctx.emit(events.paramsProposed({ authority, effectiveHeight, version, changes }));
    return { effectiveHeight, paramsVersion: version };
  }

  /** Puts into force what was proposed in the block before: the first thing of a block. */
  apply(ctx: Context): void {
    const after = this.#pending(ctx);
    if (after === undefined) return;
    const before = this.#records.params(ctx);
    const version = this.#records.paramsVersion(ctx) + 1n;
    ctx.kv.delete(PENDING_PARAMS_KEY);
    // A state that an earlier program wrote has no row of the params that end here.
    writeParamsVersion(ctx, version - 1n, before);
    const length = before.wire.stakingRewardEpochLength;
    if (after.wire.stakingRewardEpochLength !== length) rebaseEpochs(ctx, length);
    this.#records.setParams(ctx, version, after);
    ctx.emit(events.paramsUpdated({ version, changes: changesOf(before, after) }));
  }

  #pending(ctx: Context): BothParams | undefined {
    const bytes = ctx.kv.get(PENDING_PARAMS_KEY);
    if (bytes === undefined) return undefined;
    const { params, extendedParams } = PendingParams.decode(bytes);
    const whole = "settlement: pending params are whole";
    return { wire: must(params, whole), extended: must(extendedParams, whole) };
  }

  #checked(ctx: Context, { wire, extended: given }: BothParams): BothParams {
    const { bech32Prefix } = ctx.chain;
    const extended = canonicalExtended(given, bech32Prefix);
    validateParams({ wire, extended, bech32Prefix }, paramField);
    paramField("extended_params.authority", () => {
      const { authority } = extended;
      if (authority !== "" && !Object.values(this.#accounts).includes(authority)) return;
      const found = authority === "" ? "an empty text" : `the module account ${authority}`;
      const expected =
        "an address that somebody can sign for, or nobody could change a param again";
      throw new ChainError(errors.ErrInvalidParams, `expected ${expected}, found ${found}`);
    });
    return { wire, extended };
  }
}
