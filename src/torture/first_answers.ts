/** Questions whose first answer is kept. */
const QUESTIONS_MAX = 4096;

/** The first answer to each question, for a node that seems to lag behind. */
export class FirstAnswers<A> {
  readonly #answers = new Map<string, A>();

  keep(question: string, answer: A): void {
    if (this.#answers.has(question) || this.#answers.size >= QUESTIONS_MAX) return;
    this.#answers.set(question, answer);
  }

  of(question: string): A | undefined {
    return this.#answers.get(question);
  }
}
