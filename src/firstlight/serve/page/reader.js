// Reads while somebody draws: one question at a time, and only the latest answer counts.

import { post } from "./server.js";

export class Reader {
  /** `picture()` gives what to read, or null; `show(answer, milliseconds)` is told the answer. */
  constructor(picture, show) {
    Object.assign(this, { picture, show, asked: 0, waiting: false, again: false, options: "" });
  }

  /** While an answer is awaited, only a lifted pen asks at once; and not if it drew nothing more. */
  ask(lifted = true, fresh = true) {
    if (!fresh && !this.again) return;
    if (this.waiting && !lifted) this.again = true;
    else this.send();
  }

  async send() {
    const since = performance.now(), number = ++this.asked;
    const picture = this.picture();
    this.again = false;
    this.waiting = Boolean(picture);
    const answer = picture && (await post(`read${this.options}`, picture).catch((error) => ({ error: error.message })));
    if (number !== this.asked) return; // something newer has been asked
    this.waiting = false;
    this.show(answer, performance.now() - since);
    if (this.again) this.send();
  }
}
