// The stream as it comes: the latest events, with filters and a pause.

import { html, useEffect, useRef, useState } from "/static/vendor/htm-preact.js";
import { part } from "/static/api.js";
import { amount, duration, money } from "/static/format.js";
import { Choice, Empty, Severity } from "/static/parts.js";
import { setQuery } from "/static/route.js";

const MOST = 500;
const KINDS = ["span", "start", "log", "hook", "line", "finding", "run"];

export function LiveStream({ query, stream }) {
  const [events, setEvents] = useState([]);
  const [paused, setPaused] = useState(false);
  const held = useRef([]);
  const stopped = useRef(false);
  stopped.current = paused;
  useEffect(() => {
    let asked = 0;
    const flush = () => {
      asked = 0;
      if (stopped.current) return;
      const news = held.current.splice(0);
      setEvents((before) => [...news.reverse(), ...before].slice(0, MOST));
    };
    const stop = stream.listen((news) => {
      held.current.push(...news);
      if (held.current.length > MOST) held.current.splice(0, held.current.length - MOST);
      if (!asked) asked = requestAnimationFrame(flush);
    });
    return () => { stop(); cancelAnimationFrame(asked); };
  }, [stream]);
  const kind = query.get("kind") ?? "";
  const text = query.get("q") ?? "";
  const shown = events.filter((event) => (!kind || event.kind === kind) && (!text || [event.name, event.agent, event.text, event.session_id, event.run_id].some((word) => word?.toLowerCase().includes(text.toLowerCase()))));
  return html`<h1>Live</h1>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label class="field wide"><span>search</span><input type="search" value=${text} placeholder="name, agent, session  ( / )" onInput=${(event) => setQuery({ q: event.target.value })}/></label>
      <${Choice} label="kind" value=${kind} options=${KINDS} onChange=${(chosen) => setQuery({ kind: chosen })}/>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? "Go on" : "Pause"}</button></form>
    ${shown.length ? html`<ol class="events-live">${shown.map((event) => html`<${Line} key=${event.id} event=${event}/>`)}</ol>`
    : html`<${Empty}>Nothing yet: what arrives from now on is shown.<//>`}`;
}

function Line({ event }) {
  if (event.kind === "missed") return html`<li class="missed">${event.count === null ? "Some events went by unseen." : `${amount(event.count)} events went by unseen.`}</li>`;
  const run = event.run_id || event.group;
  const lasting = event.end_ns ? Number(BigInt(event.end_ns) - BigInt(event.start_ns)) / 1e9 : null;
  return html`<li data-kind=${event.kind} data-status=${event.status}><span class="time">${event.at ? event.at.slice(11, 23) : ""}</span>
    <span class="kind">${event.kind}</span> ${event.severity && event.severity !== "info" ? html`<${Severity} severity=${event.severity}/>` : null}
    ${event.agent && html`<span class="agent">${event.agent}</span>`} <strong>${event.name ?? ""}</strong>
    ${lasting === null ? null : html`<span class="under">${duration(lasting)}</span>`} ${event.tokens ? html`<span class="under">${amount(event.tokens)} tok</span>` : null}
    ${event.cost_usd ? html`<span class="under">${money(event.cost_usd)}</span>` : null} ${event.error && html`<span class="failed">${event.error}</span>`}
    ${event.text && html`<span class="text">${event.text}</span>`} ${run && html`<a href=${`/runs/${part(run)}`}>${run.slice(0, 16)}</a>`}</li>`;
}
