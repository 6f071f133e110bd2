import { equalBytes } from "../lib/bytes.ts";

/** What a verdict on a signature of a tx depends on, besides the bytes of the tx. */
export interface SignerFacts {
  /** Place among the signers of the tx. */
  readonly index: number;
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  readonly chainId: string;
}

interface Verdict {
  readonly facts: SignerFacts;
  readonly isValid: boolean;
}

/**
 * What verifiers found about the signatures of one tx. A verdict answers only for the very facts
 * that it was found with, so that remembering it never changes an outcome.
 */
export class Verdicts {
  #found: (Verdict | undefined)[] = [];

  /** undefined: nobody has verified this signature with these facts. */
  find(facts: SignerFacts): boolean | undefined {
    const found = this.#found[facts.index];
    return found !== undefined && sameFacts(found.facts, facts) ? found.isValid : undefined;
  }

  put(facts: SignerFacts, isValid: boolean): void {
    const verdict = { facts, isValid };
    // Nearly every tx has one signer: a list that begins with it has no room to spare.
    if (facts.index === 0 && this.#found.length === 0) this.#found = [verdict];
    else this.#found[facts.index] = verdict;
  }
}

function sameFacts(a: SignerFacts, b: SignerFacts): boolean {
  return (
    a.accountNumber === b.accountNumber &&
    a.sequence === b.sequence &&
    a.chainId === b.chainId &&
    equalBytes(a.publicKey, b.publicKey)
  );
}
