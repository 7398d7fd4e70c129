// One run: what it took, its waterfall, what was found, and any row of it in full.

import { html, useCallback, useEffect, useMemo, useRef, useState } from "/static/vendor/htm-preact.js";
import { ask, part } from "/static/api.js";
import { amount, clock, duration, money, tokensOf } from "/static/format.js";
import { useDebounced, useDocument, useRecent } from "/static/hooks.js";
import { Empty, Severity, Status, Trouble, When } from "/static/parts.js";
import { setQuery } from "/static/route.js";
import { Tree } from "/static/tree.js";
import { Waterfall } from "/static/waterfall.js";

const LIMIT = 100000;

export function RunView({ id, query, stream }) {
  const path = `runs/${part(id)}`;
  const timeline = useDocument(`${path}/timeline`, { limit: LIMIT });
  const findings = useDocument(`${path}/findings`);
  const [live, setLive] = useState(0);
  const recent = useRecent(stream);
  const run = timeline.document?.run;
  const isOurs = useCallback((event) => run && (event.group === run.group_key || event.run_id === run.run_id), [run]);
  const tree = useMemo(() => {
    if (!timeline.document) return null;
    const made = new Tree(timeline.document);
    // What was stored a moment ago came live while this document was on its way.
    made.catchUp(recent().filter(isOurs));
    return made;
  }, [timeline.document]);
  const current = useRef(tree);
  current.current = tree;
  useEffect(() => stream.listen((events) => {
    const known = current.current;
    if (!known) return;
    if (known.takeAll(events.filter(isOurs))) setLive((n) => n + 1);
  }), [stream, isOurs]);
  useDebounced(stream, (event) => event.kind === "missed" || (event.kind === "run" && isOurs(event)),
    () => { timeline.refresh(); findings.refresh(); }, 1500);
  const selected = query.get("row") ?? "";
  const finding = (findings.document?.findings ?? []).find((each) => each.finding_id === query.get("finding"));
  const lit = useMemo(() => new Set(finding ? [...finding.rows, ...finding.span_ids] : []), [finding]);
  const select = (row) => setQuery({ row: row ? tree.id[row.index] : "", kind: row ? row.kind : "" });
  if (!tree) {
    return html`<${Trouble} problem=${timeline.problem}/>${timeline.problem ? null : html`<${Empty} loading=${true}/>`}`;
  }
  const place = tree.placeOf(selected, query.get("kind") ?? "");
  return html`<${Head} run=${run} ledger=${timeline.document.ledger} id=${id}/>
    <${Trouble} problem=${timeline.problem}/>
    <div class=${`run${place >= 0 ? " open" : ""}`}>
      <section class="waterfall-part" aria-label="Waterfall">
        <${Waterfall} tree=${tree} live=${live} selected=${place} lit=${lit}
          onSelect=${(index) => select(index < 0 ? null : { index, kind: tree.kind[index] })}/>
      </section>
      <aside>
        ${place >= 0 && html`<${Detail} id=${id} tree=${tree} place=${place} onClose=${() => select(null)}/>`}
        <${Found} findings=${findings} chosen=${query.get("finding") ?? ""} tree=${tree}/>
      </aside>
    </div>`;
}

function Head({ run, ledger, id }) {
  return html`<div class="head"><div class="names"><h1>${run.name ?? id}</h1><${Status} status=${run.status}/>
      <span class="under"><code>${run.run_id}</code>
      ${run.session_id && html` session <a href=${`/sessions/${part(run.session_id)}`}>${run.session_id}</a>`}
      ${[run.service, run.project, run.environment, run.user].filter(Boolean).map((word) => html` · ${word}`)}</span></div>
    <dl class="facts">
      <${Fact} name="began"><${When} at=${run.started_at}/><//>
      <${Fact} name="took">${duration(run.duration_s)}<//>
      <${Fact} name="cost">${money(run.cost_usd)}${run.unpriced_calls ? html`<span title=${`${run.unpriced_calls} calls have no price`}>*</span>` : null}<//>
      <${Fact} name="tokens">${amount(tokensOf(run))}<//>
      <${Fact} name="agents">${amount(run.agents)}<//>
      <${Fact} name="calls">${amount(run.llm_calls)} llm, ${amount(run.tool_calls)} tool<//>
      <${Fact} name="errors">${amount(run.errors)}<//>
      <${Fact} name="complexity">${run.complexity === null ? "–" : run.complexity.toFixed(1)}<//>
      <${Fact} name="could save">${money(run.saved_usd)}, ${duration(run.saved_seconds)}<//>
    </dl>
    <${Ledger} ledger=${ledger}/></div>`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

/** Where each second of the critical path went. */
function Ledger({ ledger }) {
  const parts = Object.entries(ledger).filter(([, seconds]) => seconds > 0).sort(([, a], [, b]) => b - a);
  const total = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (!total) return null;
  return html`<figure class="ledger"><figcaption>Critical path</figcaption>
    <div class="bar" aria-hidden="true">${parts.map(([name, seconds]) => html`<span data-category=${name} style=${{ width: `${(seconds / total) * 100}%` }} title=${`${name} ${duration(seconds)}`}></span>`)}</div>
    <ul>${parts.map(([name, seconds]) => html`<li><span class="swatch" data-category=${name} aria-hidden="true"></span>${name} ${duration(seconds)} <span class="share">${Math.round((seconds / total) * 100)} %</span></li>`)}</ul></figure>`;
}

function Found({ findings, chosen, tree }) {
  const found = findings.document?.findings ?? [];
  return html`<section class="found" aria-labelledby="found"><h2 id="found">Findings <span class="count">${found.length}</span></h2>
    <${Trouble} problem=${findings.problem}/>
    ${found.length ? html`<ul class="rows">${found.map((finding) => html`<li class=${finding.finding_id === chosen ? "chosen" : ""}>
      <div class="top"><${Severity} severity=${finding.severity}/> <span class="kind">${finding.detector.replaceAll("_", " ")}</span></div>
      <p class="what">${finding.what}</p><p class="todo">${finding.advice}</p>
      <p class="facts">${finding.usd === null ? null : html`<span>saves ${money(finding.usd)}</span>`} ${finding.seconds === null ? null : html`<span>${duration(finding.seconds)}</span>`}
        <button type="button" aria-pressed=${finding.finding_id === chosen} onClick=${() => show(finding, chosen, tree)}>${finding.finding_id === chosen ? "Hide evidence" : `Show evidence (${finding.rows.length})`}</button></p></li>`)}</ul>`
    : html`<${Empty} loading=${findings.loading && !findings.document}>Nothing stood out.<//>`}</section>`;
}

function show(finding, chosen, tree) {
  if (finding.finding_id === chosen) { setQuery({ finding: "" }); return; }
  const first = finding.rows.find((row) => tree.placeOf(row, "") >= 0) ?? "";
  setQuery({ finding: finding.finding_id, row: first, kind: "" });
}

function Detail({ id, tree, place, onClose }) {
  const [state, setState] = useState({ item: null, problem: null });
  const kind = tree.kind[place];
  const itemId = tree.id[place];
  useEffect(() => {
    const cut = new AbortController();
    setState({ item: null, problem: null });
    ask(`runs/${part(id)}/items/${kind}/${part(itemId)}`, { trace_id: tree.traceId[place], wait: 0 }, cut.signal).then(
      (item) => setState({ item, problem: null }),
      (problem) => { if (problem.name !== "AbortError") setState({ item: null, problem }); },
    );
    return () => cut.abort();
  }, [id, kind, itemId]);
  const { item } = state;
  return html`<section class="detail" aria-label="Row in full">
    <div class="top"><h2>${tree.name[place]}</h2><button type="button" onClick=${onClose} aria-label="Close">×</button></div>
    <p class="under">${kind} · ${duration(tree.lasting(place))} · ${tree.status[place]}</p>
    ${tree.error[place] && html`<p class="failed">${tree.error[place]}</p>`}
    ${state.problem && state.problem.status !== 404 ? html`<${Trouble} problem=${state.problem}/>` : null}
    ${state.problem && state.problem.status === 404 ? html`<p class="empty">It is not stored yet.</p>` : null}
    ${item && html`<${Pairs} name="Facts" pairs=${item.facts}/><${Pairs} name="Attributes" pairs=${item.attributes}/>
      ${item.events.length ? html`<h3>Events</h3><ol class="events">${item.events.map((event) => html`<li>
        <time title=${event.at}>${clock(event.at)}</time> <strong>${event.name}</strong>
        ${event.body && html`<pre tabindex="0">${event.body}</pre>`}<${Pairs} pairs=${event.attributes}/></li>`)}</ol>` : null}
      <${Pairs} name="Resource" pairs=${item.resource}/>`}
  </section>`;
}

function Pairs({ name, pairs }) {
  if (!pairs.length) return null;
  return html`${name && html`<h3>${name}</h3>`}<dl class="pairs">${pairs.map(({ key, value }) => html`<div><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>`;
}
