import type { EventBusView } from "../../node/view.ts";
import { failed, isRefusal, methodNotFound, serverError } from "./errors.ts";
import { busQuery, eventFrame } from "./event_frames.ts";
import type { Json } from "./json.ts";
import { queryOf } from "./pages.ts";
import type { RpcContext, RpcId, SubscriptionDoor } from "./route.ts";

export interface QueryParams {
  readonly query: string | undefined;
}

/** Answers {} and from then on sends every event that matches, under the id of this request. */
export function subscribe(params: QueryParams, context: RpcContext): Json {
  doorOf(context).subscribe(queryOf(params.query), context.requestId);
  return {};
}

export function unsubscribe(params: QueryParams, context: RpcContext): Json {
  doorOf(context).unsubscribe(queryOf(params.query));
  return {};
}

export function unsubscribeAll(_: object, context: RpcContext): Json {
  doorOf(context).unsubscribeAll();
  return {};
}

function doorOf({ subscriptions }: RpcContext): SubscriptionDoor {
  if (subscriptions === undefined) throw methodNotFound();
  return subscriptions;
}

/** The subscriptions of one WebSocket client. */
export class ClientSubscriptions implements SubscriptionDoor {
  readonly #events: EventBusView;
  readonly #max: number;
  readonly #push: (frame: string) => void;
  readonly #report: (error: unknown) => void;
  readonly #open = new Map<string, { readonly id: RpcId; readonly stop: () => void }>();

  /**
   * @param max subscriptions at the same time
   * @param push sends a text frame
   * @param report is told when an event could not be sent
   */
  constructor(
    events: EventBusView,
    max: number,
    push: (frame: string) => void,
    report: (error: unknown) => void,
  ) {
    this.#events = events;
    this.#max = max;
    this.#push = push;
    this.#report = report;
  }

  subscribe(query: string, id: RpcId): void {
    if (this.#open.has(query)) throw failed("already subscribed");
    if (this.#open.size >= this.#max) {
      throw failed(`max_subscriptions_per_client ${this.#max} reached`);
    }
    const bus = busQuery(query);
    const subscription = { id, query, part: bus.part };
    try {
      const stop = this.#events.subscribe(bus.query, (event, attributes) => {
        try {
          this.#push(eventFrame(subscription, event, attributes));
        } catch (error) {
          // The node that publishes must not suffer from a subscriber.
          this.#report(error);
        }
      });
      this.#open.set(query, { id, stop });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw failed(`failed to parse query: ${error.message}`);
    }
  }

  unsubscribe(query: string): void {
    const subscription = this.#open.get(query);
    if (subscription === undefined) throw failed("subscription not found");
    this.#open.delete(query);
    subscription.stop();
  }

  unsubscribeAll(): void {
    if (this.#open.size === 0) throw failed("subscription not found");
    this.#stopAll();
  }

  /** Ends every subscription without a word, because the client has left. */
  close(): void {
    this.#stopAll();
  }

  /** Ends every subscription from this side; the frames tell the client so. */
  cancel(reason: string): string[] {
    const error = serverError(`subscription was canceled (reason: ${reason})`).toJson();
    const frames = [...this.#open.values()].map(({ id }) =>
      JSON.stringify({ jsonrpc: "2.0", id, error }),
    );
    this.#stopAll();
    return frames;
  }

  #stopAll(): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { stop } of open) stop();
  }
}
