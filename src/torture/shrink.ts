/**
 * Finds a small part of a list that still fails (delta debugging): no part that is smaller by one
 * piece of the last size tried does. Order is kept.
 * @param fails tries a part; it is never asked about the whole list
 * @param triesMax after so many tries the smallest part so far is the answer
 */
export async function shrink<T>(
  list: readonly T[],
  fails: (part: readonly T[]) => Promise<boolean>,
  triesMax: number,
): Promise<{ readonly smallest: readonly T[]; readonly tries: number }> {
  let tries = 0;
  const isFailing = async (part: readonly T[]) => {
    tries += 1;
    return fails(part);
  };
  if (list.length === 0 || triesMax < 1) return { smallest: list, tries };
  // What fails without any fault has nothing to do with them.
  if (await isFailing([])) return { smallest: [], tries };
  let smallest = list;
  let pieces = 2;
  while (smallest.length > 1 && tries < triesMax) {
    const size = Math.ceil(smallest.length / pieces);
    let found: readonly T[] | undefined;
    for (const part of candidates(smallest, size)) {
      if (tries >= triesMax) break;
      if (!(await isFailing(part))) continue;
      found = part;
      break;
    }
    if (found !== undefined) {
      pieces = Math.max(2, Math.min(pieces - 1, found.length));
      smallest = found;
    } else if (size === 1) break;
    else pieces = Math.min(smallest.length, pieces * 2);
  }
  return { smallest, tries };
}

/** The pieces of a list, and then the list without each of them. */
function* candidates<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  const starts = Array.from({ length: Math.ceil(list.length / size) }, (_, index) => index * size);
  for (const at of starts) yield list.slice(at, at + size);
  // Of two pieces each is what the other leaves.
  if (starts.length <= 2) return;
  for (const at of starts) yield [...list.slice(0, at), ...list.slice(at + size)];
}
