/**
 * Amounts that members of a tree hand to their parents when they end. A parent's total then holds
 * what was counted of the member before, which is owed and taken off.
 */
export class WaitedPool {
  #handed = 0n;
  #owedNow = 0n;
  // Of the look before: its parents had not waited yet.
  #owedBefore: bigint;

  constructor(owed: bigint) {
    this.#owedBefore = owed;
  }

  /** A parent's total has grown. */
  hand(amount: bigint): void {
    this.#handed += amount > 0n ? amount : 0n;
  }

  /** A member has ended of which so much was counted already. */
  owe(amount: bigint): void {
    this.#owedNow += amount;
  }

  /**
   * What was handed and not counted before. What is owed and was not handed waits for one more
   * look, since an end may be seen just before its parent sees it. After that nobody has waited for
   * it (`isUnpaid`), and nothing else is held back for it.
   */
  settle(): { readonly counted: bigint; readonly isUnpaid: boolean } {
    const afterOld = this.#handed - this.#owedBefore;
    const afterNew = (afterOld > 0n ? afterOld : 0n) - this.#owedNow;
    this.#handed = 0n;
    this.#owedNow = 0n;
    this.#owedBefore = afterNew < 0n ? -afterNew : 0n;
    return { counted: afterNew > 0n ? afterNew : 0n, isUnpaid: afterOld < 0n };
  }

  get owed(): bigint {
    return this.#owedBefore;
  }
}
