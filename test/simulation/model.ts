import { billingRules } from "./model_billing.ts";
import { failsAlone } from "./model_check.ts";
import { disputeRules, expireDisputes } from "./model_disputes.ts";
import { escrowRules } from "./model_escrow.ts";
import { invoiceRules, markOverdue } from "./model_invoices.ts";
import { applyParams, paramsRules } from "./model_params.ts";
import { advancePayouts, payoutRules } from "./model_payouts.ts";
import { refundRules } from "./model_refunds.ts";
import {
  authorityRewardRules,
  expireRewards,
  rewardRules,
  rewardStaking,
} from "./model_rewards.ts";
import { expireEscrows, settleDue, settleRules } from "./model_settle.ts";
import { type Done, type ModelEvent, type ModelMessage, Refusal, World } from "./model_state.ts";
import { usageRules } from "./model_usage.ts";

// The settlement module again, from its documents alone: plain Maps and BigInt. A comment "no
// document says so" marks what was learnt by comparing.

const RULES = {
  ...{ ...escrowRules, ...usageRules, ...settleRules, ...rewardRules },
  ...{ ...payoutRules, ...invoiceRules, ...paramsRules, ...disputeRules, ...refundRules },
  ...{ ...authorityRewardRules, ...billingRules },
};

export class Model extends World {
  /** What is due before the txs of a block. @returns the events */
  begin(timeNs: bigint): readonly ModelEvent[] {
    this.height += 1n;
    this.now = timeNs;
    this.start();
    applyParams(this);
    expireEscrows(this);
    return this.events;
  }

  /** What is due after the txs, in this order: no document gives it whole. @returns the events */
  end(): readonly ModelEvent[] {
    this.start();
    expireDisputes(this);
    settleDue(this);
    markOverdue(this);
    rewardStaking(this);
    expireRewards(this);
    advancePayouts(this);
    return this.events;
  }

  /** One tx: all its messages happen or none. @returns what each did, or why not */
  deliver(messages: readonly ModelMessage[]): readonly Done[] | Refusal {
    for (const { type, value } of messages) {
      const code = failsAlone(type, value);
      if (code !== undefined) return new Refusal(code, true);
    }
    this.start();
    const done: Done[] = [];
    try {
      for (const { type, value } of messages) {
        this.events = [];
        const rule = RULES[type];
        if (rule === undefined) throw new Error(`the model has no ${type}`);
        done.push({ response: rule(this, value as never), events: this.events });
      }
      return done;
    } catch (error) {
      for (const undo of this.undo.reverse()) undo();
      if (error instanceof Refusal) return error;
      throw error;
    }
  }
}
