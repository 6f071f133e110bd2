import { register } from "../../lib/errors.ts";

/** A transfer to the account that it comes from. */
export const ErrSelfTransfer = register("bank", 2, "source and destination are the same account");
/** A transfer to an account of a module, which only the module's own messages fund. */
export const ErrBlockedAddress = register("bank", 3, "address is not allowed to receive funds");
/** Supply or balance would reach 2^256. */
export const ErrAmountOverflow = register("bank", 4, "amount exceeds 2^256 - 1");
