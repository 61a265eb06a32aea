// Reads while somebody draws: one question at a time, and only the latest answer counts.

import { post } from "./server.js";

export class Reader {
  /** `picture()` gives what to read, or null; `show(answer, milliseconds)` is told the answer. */
  constructor(picture, show) {
    Object.assign(this, { picture, show, asking: null, again: false, options: "" });
  }

  /** Something changed. When the pen was lifted, what is still being asked is dropped. */
  ask(lifted = true) {
    const since = performance.now();
    if (this.asking && !lifted) return (this.again = true);
    this.asking?.abort();
    this.send(since);
  }

  async send(since) {
    const picture = this.picture();
    this.again = false;
    if (!picture) {
      this.asking = null;
      return this.show(null, 0);
    }
    const asking = (this.asking = new AbortController());
    try {
      const answer = await post(`read${this.options}`, picture, asking.signal);
      if (this.asking === asking) this.show(answer, performance.now() - since);
    } catch (error) {
      if (this.asking === asking && error.name !== "AbortError") this.show({ error: error.message }, 0);
    }
    if (this.asking !== asking) return;
    this.asking = null;
    if (this.again) this.send(performance.now());
  }
}
