// The live stream: one WebSocket for the whole page, resumed where it was cut.

const RETRY_MS = [250, 500, 1000, 2000, 4000];

export class Stream {
  constructor() {
    /** @type {Set<(events: object[]) => void>} */
    this.listeners = new Set();
    this.last = "";
    this.state = "connecting";
    this.failures = 0;
    /** @type {Set<(state: string) => void>} */
    this.watchers = new Set();
    this.connect();
  }

  connect() {
    const scheme = window.location.protocol === "https:" ? "wss" : "ws";
    const after = this.last ? `?after=${encodeURIComponent(this.last)}` : "";
    const socket = new WebSocket(`${scheme}://${window.location.host}/api/v1/live/ws${after}`);
    socket.onopen = () => { this.failures = 0; this.become("live"); };
    socket.onmessage = (message) => this.take(JSON.parse(message.data));
    socket.onclose = (event) => {
      if (event.code === 4401) {
        window.location.assign("/login");
        return;
      }
      this.become("cut off");
      const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
      this.failures += 1;
      setTimeout(() => this.connect(), wait);
    };
  }

  /** @param {any[]} events */
  take(events) {
    const news = [];
    for (const event of events) {
      if (event.id) this.last = event.id;
      if (event.kind !== "hello" && event.kind !== "ping") news.push(event);
    }
    if (news.length) for (const listener of this.listeners) listener(news);
  }

  /** @param {string} state */
  become(state) {
    this.state = state;
    for (const watcher of this.watchers) watcher(state);
  }

  /** @param {(events: any[]) => void} listener @returns {() => void} */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
