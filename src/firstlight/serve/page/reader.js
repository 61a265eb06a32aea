// Reads while the user draws: one request at a time, and only the latest answer is shown.

import { post } from "./server.js";

export class Reader {
  /**
   * @param picture returns what is to be read, or null for nothing
   * @param show is called with each answer and the milliseconds that it took
   */
  constructor(picture, show) {
    this.picture = picture;
    this.show = show;
    this.requests = 0;
    this.waiting = false;
    this.changedMeanwhile = false;
    this.query = "";
  }

  /**
   * While an answer is awaited, a moving pen waits for it; a lifted pen does not. A pen that was
   * lifted without drawing anything more (`fresh` is false) needs no further request.
   */
  update(lifted = true, fresh = true) {
    if (!fresh && !this.changedMeanwhile) return;
    if (this.waiting && !lifted) this.changedMeanwhile = true;
    else this.send();
  }

  async send() {
    const start = performance.now();
    this.requests += 1;
    const number = this.requests;
    const picture = this.picture();
    this.changedMeanwhile = false;
    this.waiting = Boolean(picture);
    const answer = picture && (await this.read(picture));
    if (number !== this.requests) return; // a newer request has been sent
    this.waiting = false;
    this.show(answer, performance.now() - start);
    if (this.changedMeanwhile) this.send();
  }

  read(picture) {
    return post(`read${this.query}`, picture).catch(({ message }) => ({ error: message }));
  }
}
