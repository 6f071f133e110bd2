/** One attribute of an event; indexed ones can be searched and subscribed to. */
export interface EventAttribute {
  readonly key: string;
  readonly value: string;
  readonly index: boolean;
}

/** What happened, as CometBFT 0.38 shows it: plain strings. Not part of the app hash. */
export interface Event {
  readonly type: string;
  readonly attributes: readonly EventAttribute[];
}

/** An event whose attributes are all indexed. Attributes with the value undefined are left out. */
export function event(
  type: string,
  attributes: Readonly<Record<string, string | undefined>>,
): Event {
  const list: EventAttribute[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) list.push(attribute(key, value));
  }
  return { type, attributes: list };
}

/** The event with one attribute more. It takes over the list: an event is emitted once. */
export function withAttribute({ type, attributes }: Event, added: EventAttribute): Event {
  const list = attributes as EventAttribute[];
  list.push(added);
  return { type, attributes: list };
}

/** An indexed attribute. */
export function attribute(key: string, value: string): EventAttribute {
  return { key, value, index: true };
}
