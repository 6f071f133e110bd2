import type { AnteStep } from "../baseapp/ante.ts";
import { basicStep, signatureStep, sizeGasStep } from "../modules/auth/ante.ts";
import type { AuthKeeper } from "../modules/auth/keeper.ts";
import { feeStep } from "../modules/bank/ante.ts";
import type { BankKeeper } from "../modules/bank/keeper.ts";
import type { Verifier } from "../types/crypto.ts";
import type { Dec } from "../types/dec.ts";

/** The one list of ante steps, in order. */
export function anteSteps(parts: {
  auth: AuthKeeper;
  bank: BankKeeper;
  verifier: Verifier;
  trustSignatures: boolean;
  feeCollector: string;
  minimumGasPrice: Dec;
}): readonly AnteStep[] {
  const { auth, bank, verifier, trustSignatures, feeCollector, minimumGasPrice } = parts;
  return [
    // Cheap refusals come before anything is read or charged.
    basicStep(auth),
    sizeGasStep(auth),
    // Whoever cannot pay does not cost a signature check.
    feeStep(bank, { feeCollector, minimumGasPrice }),
    // Key, signature, sequence of every signer.
    signatureStep(auth, verifier, trustSignatures),
  ];
}
