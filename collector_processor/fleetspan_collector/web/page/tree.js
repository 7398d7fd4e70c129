// The rows of a run as a tree, kept up to date by live events.
//
// Columns stay columns: a run may have 100,000 rows, and objects of them would be slow.

/** Columns of the API, and how this object calls them. */
const COLUMNS = new Map([
  ["id", "id"], ["kind", "kind"], ["parent", "parent"], ["agent", "agent"], ["name", "name"],
  ["start_s", "start"], ["duration_s", "length"], ["status", "status"], ["error", "error"],
  ["model", "model"], ["tokens", "tokens"], ["cost_usd", "cost"], ["wait_s", "wait"],
  ["span_id", "spanId"], ["trace_id", "traceId"], ["critical_s", "critical"],
]);
const KINDS = new Map([["agent", "agent"], ["llm", "llm"], ["tool", "tool"], ["run", "span"], ["span", "span"]]);

export class Tree {
  /** @param {any} document Of the API's timeline. */
  constructor(document) {
    for (const [column, name] of COLUMNS) this[name] = [...document.rows[column]];
    this.path = document.path;
    this.runs = document.run.status === "running";
    this.lastS = document.run.duration_s ?? 0;
    this.originNs = BigInt(Date.parse(document.started_at.slice(0, 23) + "Z")) * 1000000n
      + BigInt(document.started_at.slice(23, 26) || 0) * 1000n;
    this.originMs = Number(this.originNs) / 1e6;
    /** @type {Map<string, number>} */
    this.bySpan = new Map();
    /** @type {Map<string, number>} */
    this.byId = new Map();
    this.collapsed = new Set();
    this.id.forEach((_, index) => this.register(index));
    this.children = this.id.map(() => []);
    this.roots = [];
    this.parent.forEach((parent, index) => {
      (parent >= 0 && parent < this.id.length ? this.children[parent] : this.roots).push(index);
    });
    this.order();
  }

  register(index) {
    if (this.spanId[index]) this.bySpan.set(this.spanId[index], index);
    if (!this.byId.has(this.id[index])) this.byId.set(this.id[index], index);
  }

  /** Where a row stands, by its id or its span's. */
  placeOf(id, kind) {
    if (!id) return -1;
    if (kind) {
      const found = this.id.findIndex((each, index) => each === id && this.kind[index] === kind);
      if (found >= 0) return found;
    }
    return this.byId.get(id) ?? this.bySpan.get(id) ?? -1;
  }

  /** Seconds since the run began. */
  now() {
    return (Date.now() - this.originMs) / 1000;
  }

  isOpen(index) {
    return this.runs && this.length[index] === null && this.status[index] === "running";
  }

  /** How long a row has lasted so far. */
  lasting(index) {
    if (this.length[index] !== null) return this.length[index];
    if (this.isOpen(index)) return Math.max(this.now() - this.start[index], 0);
    // Nobody saw it end: up to where the run was last heard of.
    return Math.max(this.lastS - this.start[index], 0);
  }

  /** The end of what is known, in seconds. */
  end() {
    let end = 0.001;
    for (let index = 0; index < this.id.length; index += 1) {
      const last = this.start[index] + (this.lasting(index) ?? 0);
      if (last > end) end = last;
    }
    return end;
  }

  first() {
    let first = 0;
    for (const start of this.start) if (start < first) first = start;
    return first;
  }

  /** Where what an event is about stands, if it is known. */
  known(event) {
    return this.bySpan.get(event.span_id) ?? (event.thing_id ? this.byId.get(event.thing_id) : undefined);
  }

  /** Take events that the document may hold already: only what it lacks. */
  catchUp(events) {
    this.takeAll(events.filter((event) => {
      const known = this.known(event);
      return known === undefined || this.length[known] === null;
    }));
  }

  /** Take live events; tells whether they changed anything. */
  takeAll(events) {
    const rows = this.id.length;
    let changed = false;
    for (const event of events) changed = this.take(event) || changed;
    // Once for all of them: it walks the whole tree.
    if (this.id.length > rows) this.order();
    return changed;
  }

  take(event) {
    if (event.kind !== "span" && event.kind !== "start") return false;
    const known = this.known(event);
    if (event.kind === "start" && known === undefined) this.runs = true;
    const start = Number(BigInt(event.start_ns ?? 0) - this.originNs) / 1e9;
    const length = event.end_ns ? Number(BigInt(event.end_ns) - BigInt(event.start_ns)) / 1e9 : null;
    if (known !== undefined) {
      if (length === null) return false;
      this.length[known] = length;
      this.status[known] = event.status ?? "ok";
      this.error[known] = event.error ?? "";
      this.tokens[known] = event.tokens ?? this.tokens[known];
      this.cost[known] = event.cost_usd ?? this.cost[known];
      return true;
    }
    this.add(event, start, length);
    return true;
  }

  add(event, start, length) {
    const index = this.id.length;
    const parent = this.bySpan.get(event.parent_span_id) ?? this.byId.get(event.agent_id) ?? -1;
    const row = {
      id: event.thing_id || event.span_id || `live-${index}`, kind: KINDS.get(event.thing) ?? "span",
      parent: parent === index ? -1 : parent, agent: this.byId.get(event.agent_id) ?? -1,
      name: event.name || event.thing, start, length, status: event.status ?? "ok",
      error: event.error ?? "", model: event.model ?? "", tokens: event.tokens ?? null,
      cost: event.cost_usd ?? null, wait: 0, spanId: event.span_id ?? "", traceId: event.trace_id ?? "", critical: 0,
    };
    for (const [name, value] of Object.entries(row)) this[name].push(value);
    this.children.push([]);
    (row.parent >= 0 ? this.children[row.parent] : this.roots).push(index);
    // What came before its parent belongs below it now.
    if (row.spanId) this.adopt(index, event);
    this.register(index);
  }

  adopt(index, event) {
    for (const orphan of [...this.roots]) {
      if (orphan !== index && this.waitsFor?.get(orphan) === event.span_id) {
        this.roots.splice(this.roots.indexOf(orphan), 1);
        this.parent[orphan] = index;
        this.children[index].push(orphan);
      }
    }
    if (this.parent[index] < 0 && event.parent_span_id) {
      this.waitsFor ??= new Map();
      this.waitsFor.set(index, event.parent_span_id);
    }
  }

  toggle(index, open) {
    if (open) this.collapsed.delete(index); else this.collapsed.add(index);
    this.order();
  }

  /** List the rows that are shown, in the order of a walk, and how deep they lie. */
  order() {
    const byStart = (a, b) => this.start[a] - this.start[b];
    this.shown = [];
    this.depth = [];
    const waiting = [...this.roots].sort(byStart).reverse().map((index) => [index, 0]);
    while (waiting.length) {
      const [index, depth] = waiting.pop();
      this.shown.push(index);
      this.depth.push(depth);
      if (this.collapsed.has(index)) continue;
      const children = [...this.children[index]].sort(byStart);
      for (let place = children.length - 1; place >= 0; place -= 1) waiting.push([children[place], depth + 1]);
    }
  }
}
