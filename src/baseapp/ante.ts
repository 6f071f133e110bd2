import type { DecodedTx } from "../codec/tx_decode.ts";
import type { Context } from "./context.ts";
import type { MsgRoute } from "./module.ts";
import type { Verdicts } from "./verdicts.ts";

/** A decoded tx with its messages resolved. */
export interface RoutedTx extends DecodedTx {
  /** Received bytes. */
  readonly bytes: Uint8Array;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly routed: readonly RoutedMsg[];
  /** Those who must sign: each signer of the messages once, in order of appearance. */
  readonly signers: readonly string[];
  readonly verdicts: Verdicts;
}

export interface RoutedMsg {
  readonly route: MsgRoute;
  readonly message: never;
  readonly signers: readonly string[];
}

/**
 * One check, or one effect, before the messages of a tx. Steps run in the order of the one list in
 * src/app/ante.ts; the first that throws ends the tx.
 * @throws ChainError
 */
export type AnteStep = (ctx: Context, tx: RoutedTx) => void;
