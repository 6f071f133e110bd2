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

/** The event with one attribute more. */
export function withAttribute({ type, attributes }: Event, added: EventAttribute): Event {
  // A list that grows by push keeps room for sixteen more; this one is as long as it has to be.
  return { type, attributes: attributes.concat(added) };
}

/** An indexed attribute. */
export function attribute(key: string, value: string): EventAttribute {
  return { key, value, index: true };
}
