/** Ways into a node: CometBFT JSON-RPC, REST, gRPC. */
export const DOORS = ["rpc", "rest", "grpc"] as const;

export type DoorName = (typeof DOORS)[number];

/** Addresses of a node: the RPC, and what is known of the others. */
export interface NodeDoors {
  readonly rpc: string;
  readonly rest?: string | undefined;
  /** "127.0.0.1:9090", or with http:// or https:// before it. */
  readonly grpc?: string | undefined;
}

/** Where a daemon finds a door's address in its environment, and in its command. */
export const DOOR_PLACES: Readonly<Record<DoorName, { variable: string; word: string }>> = {
  rpc: { variable: "SETTLED_NODE", word: "{node}" },
  rest: { variable: "SETTLED_REST", word: "{rest}" },
  grpc: { variable: "SETTLED_GRPC", word: "{grpc}" },
};

/** A text with the addresses of doors in their places; those that are not known stay as they are. */
export function withDoors(text: string, doors: NodeDoors): string {
  const fill = (filled: string, name: DoorName) => {
    const { word } = DOOR_PLACES[name];
    return filled.replaceAll(word, () => doors[name] ?? word);
  };
  return DOORS.reduce(fill, text);
}

/** Addresses as environment variables: empty where there is none, so that none is inherited. */
export function doorVariables(doors: NodeDoors): Record<string, string> {
  return Object.fromEntries(DOORS.map((name) => [DOOR_PLACES[name].variable, doors[name] ?? ""]));
}
