import { autocli as auth } from "../modules/auth/autocli.ts";
import { autocli as bank } from "../modules/bank/autocli.ts";
import { autocli as settlement } from "../modules/settlement/autocli.ts";
import type { Autocli } from "./autocli.ts";

/** What each module says of its commands, by the module's word. */
export const MODULE_AUTOCLI: Readonly<Record<string, Autocli>> = { auth, bank, settlement };
