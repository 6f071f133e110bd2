/**
 * Runs a stage of a pipeline ahead of its reader by up to `depth` results, so that the stages of a
 * pipeline work at the same time. Order is kept; an error comes after the results before it.
 */
export async function* ahead<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const waiting: Promise<IteratorResult<T>>[] = [];
  const pull = () => {
    const before = waiting.at(-1) ?? Promise.resolve();
    const next = before.then(() => iterator.next());
    // The reader sees the failure when it gets there; until then it is not unhandled.
    next.catch(() => undefined);
    waiting.push(next);
  };
  try {
    for (;;) {
      while (waiting.length < depth) pull();
      const result = await (waiting.shift() as Promise<IteratorResult<T>>);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await Promise.allSettled(waiting);
    await iterator.return?.();
  }
}

/** Calls `work` for every item, at most `width` at a time; results in the order of the items. */
export async function parallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}
