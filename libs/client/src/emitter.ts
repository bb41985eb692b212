type Listener<T> = (payload: T) => void;

/** A typed event emitter without Node's `events`. A listener that throws stops nobody: the error is rethrown later. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Returns the function that takes the listener off again. */
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): () => void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
    return () => set.delete(listener);
  }

  /** Resolves with the first payload that `matches`. Never rejects: race it against a deadline where one is needed. */
  once<E extends keyof Events>(
    event: E,
    matches: (payload: Events[E]) => boolean = () => true,
  ): Promise<Events[E]> {
    return new Promise((resolve) => {
      const off = this.on(event, (payload) => {
        if (!matches(payload)) return;
        off();
        resolve(payload);
      });
    });
  }

  protected emit<E extends keyof Events>(event: E, payload: Events[E]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      try {
        (listener as Listener<Events[E]>)(payload);
      } catch (error) {
        // The client's own state must not depend on what its users do; the error still reaches the process.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
