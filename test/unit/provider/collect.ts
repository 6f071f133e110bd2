/** The lines of a text as a file reader gives them. */
export async function* lines(text: string): AsyncGenerator<string> {
  yield* text.replace(/\n$/, "").split("\n");
}

/** Everything that a generator yields. */
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
