/** How many hosts are asked at the same time. */
const HOSTS_AT_ONCE = 32;

/** Asks each, so many at the same time. @returns the answers, in the order of the items */
export async function ofEach<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
  atOnce = HOSTS_AT_ONCE,
): Promise<R[]> {
  const waiting = [...items.entries()];
  const answers: R[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, item] = next;
      answers[index] = await ask(item);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return answers;
}
