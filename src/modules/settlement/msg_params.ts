import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import { MsgUpdateParams, MsgUpdateParamsResponse } from "../../gen/settled/settlement/v1/tx.ts";
import { ChainError } from "../../lib/errors.ts";
import * as errors from "./errors.ts";
import type { ParamsKeeper } from "./keeper_params.ts";
import { address } from "./msg_validate.ts";

const NAME = "settled.settlement.v1.Msg";
/** More than any other message: the params are read, compared and written whole. */
const UPDATE_PARAMS_GAS = 50_000n;

/** The message of the authority that changes params. */
export function paramsMsgs(keeper: ParamsKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}UpdateParams`,
      codec: MsgUpdateParams,
      responseCodec: MsgUpdateParamsResponse,
      gas: UPDATE_PARAMS_GAS,
      signers: ({ authority }) => [authority],
      validate: (msg, chain) => {
        address(msg.authority, "authority", chain);
        if (msg.params !== undefined || msg.extendedParams !== undefined) return;
        const detail = "expected params, extended_params or both, found neither";
        throw new ChainError(errors.ErrInvalidParams, detail);
      },
      handle: (ctx, msg) => keeper.propose(ctx, msg),
    }),
  ];
}
