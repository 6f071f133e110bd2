import type { Context } from "../../baseapp/context.ts";
import { AcknowledgeSignDoc, UsageSignDoc } from "../../gen/settled/settlement/v1/sign_doc.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Verifier } from "../../types/crypto.ts";
import * as errors from "./errors.ts";
import type { AccountKeeper } from "./expected_keepers.ts";

/** What a provider signs of a report, but the chain's id. */
type UsageDoc = Omit<UsageSignDoc, "chainId">;

/** Checks what provider and customer sign besides the tx, with `require_usage_signature` (RULES 18). */
export class UsageSignatures {
  readonly #accounts: AccountKeeper;
  readonly #verifier: Verifier;

  constructor(accounts: AccountKeeper, verifier: Verifier) {
    this.#accounts = accounts;
    this.#verifier = verifier;
  }

  /** @throws ChainError settlement/1524 */
  verifyUsage(ctx: Context, signer: string, doc: UsageDoc, signature: Uint8Array): void {
    const { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice } = doc;
    const { chainId } = ctx.chain;
    const whole = {
      ...{ chainId, orderId, leaseId, usageType, usageUnits },
      ...{ periodStart, periodEnd, unitPrice },
    };
    this.#verify(ctx, signer, { doc: UsageSignDoc.encode(whole).finish(), signature });
  }

  /** @throws ChainError settlement/1524 */
  verifyAcknowledgement(
    ctx: Context,
    signer: string,
    doc: { usageId: string; totalCost: string },
    signature: Uint8Array,
  ): void {
    const whole = AcknowledgeSignDoc.encode({ chainId: ctx.chain.chainId, ...doc });
    this.#verify(ctx, signer, { doc: whole.finish(), signature });
  }

  #verify(ctx: Context, signer: string, signed: { doc: Uint8Array; signature: Uint8Array }): void {
    const publicKey = this.#accounts.account(ctx, signer)?.publicKey;
    const digest = ctx.hasher.sha256(signed.doc);
    const good =
      publicKey !== undefined &&
      this.#verifier.verifySecp256k1(signed.signature, digest, publicKey);
    if (good) return;
    const detail = `expected 64 bytes r‖s with low s by ${signer} over sha256 of the sign doc`;
    throw new ChainError(errors.ErrInvalidSignature, detail);
  }
}
