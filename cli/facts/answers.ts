import type { Unavailable } from "../../diagnosis/facts";

/** The most that is told of why something could not be asked: what stands in between may answer with a whole page. */
const MOST = 400;

/** Why something could not be asked, in one line. */
export function unavailable({ message }: Error): Unavailable {
  const problem = message.trim().replace(/\s+/g, " ");
  return {
    problem: problem.length > MOST ? `${problem.slice(0, MOST)}...` : problem,
    forbidden: /\(Forbidden\)|\bis forbidden\b/.test(message),
  };
}

type Questions<Facts> = { [Fact in keyof Facts]-?: () => Promise<Facts[Fact]> };
type Answers<Facts> = { [Fact in keyof Facts]: Facts[Fact] | Unavailable };

/** Asks everything at the same time. What is refused, or not answered in time, keeps nothing else from being told. */
export async function answers<Facts extends object>(questions: Questions<Facts>): Promise<Answers<Facts>> {
  const asked = Object.entries(questions as Record<string, () => Promise<unknown>>).map(
    async ([fact, ask]) => [fact, await ask().catch(unavailable)] as const,
  );
  return Object.fromEntries(await Promise.all(asked)) as Answers<Facts>;
}
