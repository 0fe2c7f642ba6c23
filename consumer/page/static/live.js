// Listens for what happens: server-sent events that go on where they broke off, and now and then a question all the same.

const DEBOUNCE_MS = 250;
const AT_WORK_MS = 10000;
const AT_REST_MS = 60000;
const WITHOUT_EVENTS_MS = 30000;

export class Live {
  // refresh(events, everything) is called for what came; tell(state) of live, paused, away or asking.
  constructor({ refresh, tell }) {
    Object.assign(this, { refresh, tell, waiting: [], paused: false, atWork: false, source: null });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && !this.paused) this.now(true); });
  }

  start() {
    this.paused = false;
    this.source?.close();
    this.source = new EventSource("/events");
    let broke = false;
    this.source.addEventListener("hello", (message) => {
      this.tell("live");
      if (broke || JSON.parse(message.data).anew) this.now(true);
      broke = false;
    });
    this.source.addEventListener("maintenance", (message) => this.hear({ id: message.lastEventId, event: JSON.parse(message.data) }));
    this.source.onerror = () => {
      broke = true;
      const closed = this.source.readyState === EventSource.CLOSED;
      this.tell(closed ? "asking" : "away");
      if (closed) this.later(WITHOUT_EVENTS_MS, () => this.start());
    };
    this.wait();
  }

  pause() {
    this.paused = true;
    this.source?.close();
    clearTimeout(this.timer);
    clearTimeout(this.soon);
    clearTimeout(this.again);
    this.tell("paused");
  }

  later(ms, act) {
    clearTimeout(this.again);
    this.again = setTimeout(() => { if (!this.paused) act(); }, ms);
  }

  hear(one) {
    this.waiting.push(one);
    // The first one starts the wait, so that a stream of them does not put it off for ever.
    this.soon ??= setTimeout(() => this.now(), DEBOUNCE_MS);
  }

  // everything: also what no event has spoken of, after a time in which none was heard.
  async now(everything = false) {
    clearTimeout(this.soon);
    this.soon = null;
    const heard = this.waiting.splice(0);
    await this.refresh(heard, everything);
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    if (this.paused) return;
    this.timer = setTimeout(() => (document.hidden ? this.wait() : this.now()), this.atWork ? AT_WORK_MS : AT_REST_MS);
  }
}
