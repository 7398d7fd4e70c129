// The list of runs: filters, search, order, part by part.

import { html, useEffect, useState } from "/static/vendor/htm-preact.js";
import { ask, part } from "/static/api.js";
import { amount, duration, money, tokensOf } from "/static/format.js";
import { useDebounced, useDocument } from "/static/hooks.js";
import { Choice, Empty, Range, Severity, sinceOf, Status, Trouble, When } from "/static/parts.js";
import { setQuery } from "/static/route.js";

const LIMIT = 60;
const FIELDS = ["agent", "model", "tool", "service", "project", "environment", "user"];
const COLUMNS = [
  ["", "Run"], ["", "Status"], ["started", "Started"], ["duration", "Took"], ["agents", "Agents"],
  ["tokens", "Tokens"], ["cost", "Cost"], ["errors", "Errors"], ["", "Findings"],
];

const NUMBERS = new Set(["Took", "Agents", "Tokens", "Cost", "Errors"]);

export function Runs({ query, stream }) {
  const range = query.get("since") ?? "7d";
  const parameters = {
    since: sinceOf(range), q: query.get("q"), status: query.get("status"), severity: query.get("severity"),
    session: query.get("session"), detector: query.get("detector"), sort: query.get("sort"),
    order: query.get("order"), limit: LIMIT,
    ...Object.fromEntries(FIELDS.map((field) => [field, query.get(field)])),
  };
  const first = useDocument("runs", parameters);
  const key = JSON.stringify(parameters);
  const [more, setMore] = useState({ key, runs: [], cursor: null });
  const rest = more.key === key ? more : { runs: [], cursor: null };
  useDebounced(stream, (event) => event.kind === "run" || event.kind === "missed", first.refresh, 1500);
  const cursor = rest.cursor ?? (rest.runs.length ? null : first.document?.next_cursor);
  const load = async () => {
    const next = await ask("runs", { ...parameters, cursor });
    setMore({ key, runs: [...rest.runs, ...next.runs], cursor: next.next_cursor ?? "" });
  };
  const runs = [...(first.document?.runs ?? []), ...rest.runs];
  return html`<h1>Runs</h1>
    <${Filters} query=${query} range=${range}/>
    <${Trouble} problem=${first.problem}/>
    ${runs.length ? html`<${Table} runs=${runs} query=${query}/>` : html`<${Empty} loading=${first.loading}>No run is like that.<//>`}
    ${cursor ? html`<p class="more"><button type="button" onClick=${load}>More runs</button></p>` : null}`;
}

function Filters({ query, range }) {
  const [text, setText] = useState(query.get("q") ?? "");
  useEffect(() => {
    const timer = setTimeout(() => { if (text !== (query.get("q") ?? "")) setQuery({ q: text }); }, 250);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <label class="field wide"><span>search</span><input type="search" value=${text} placeholder="name, id, agent, task  ( / )"
      onInput=${(event) => setText(event.target.value)}/></label>
    <${Range} value=${range} onChange=${(since) => setQuery({ since })}/>
    <${Choice} label="status" value=${query.get("status") ?? ""} options=${["running", "ok", "error", "abandoned"]} onChange=${(status) => setQuery({ status })}/>
    <${Choice} label="findings from" value=${query.get("severity") ?? ""} options=${["info", "low", "medium", "high", "critical"]} onChange=${(severity) => setQuery({ severity })}/>
    ${FIELDS.map((field) => html`<${Facet} key=${field} field=${field} value=${query.get(field) ?? ""}/>`)}
    ${query.get("session") && html`<button type="button" onClick=${() => setQuery({ session: "" })}>session ${query.get("session")} ×</button>`}
  </form>`;
}

function Facet({ field, value }) {
  const facets = useDocument("facets", { field });
  const options = facets.document?.values.map((each) => each.value) ?? [];
  if (!options.length && !value) return null;
  return html`<${Choice} label=${field} value=${value} options=${options} onChange=${(chosen) => setQuery({ [field]: chosen })}/>`;
}

export function Table({ runs, query }) {
  const sort = query?.get("sort") ?? "started";
  const order = query?.get("order") ?? "desc";
  const by = (name) => setQuery({ sort: name, order: name === sort && order === "desc" ? "asc" : "" });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="runs"><thead><tr>${COLUMNS.map(([name, title]) => html`<th scope="col" class=${NUMBERS.has(title) ? "number" : undefined}
      aria-sort=${name && name === sort ? (order === "asc" ? "ascending" : "descending") : undefined}>
      ${name && query ? html`<button type="button" onClick=${() => by(name)}>${title}${name === sort ? (order === "asc" ? " ↑" : " ↓") : ""}</button>` : title}</th>`)}</tr></thead>
    <tbody>${runs.map((run) => html`<${Row} key=${run.run_id} run=${run}/>`)}</tbody></table></div>`;
}

function Row({ run }) {
  return html`<tr>
    <td class="title"><a class="row" href=${`/runs/${part(run.run_id)}`}>${run.name ?? run.run_id}</a>
      <span class="under">${[run.service, run.project, run.user].filter(Boolean).join(" · ") || run.run_id}</span></td>
    <td><${Status} status=${run.status}/></td>
    <td><${When} at=${run.started_at}/></td>
    <td class="number">${duration(run.duration_s)}</td>
    <td class="number">${amount(run.agents)}</td>
    <td class="number">${amount(tokensOf(run))}</td>
    <td class="number" title=${run.unpriced_calls ? `${run.unpriced_calls} calls have no price` : ""}>${money(run.cost_usd)}${run.unpriced_calls ? "*" : ""}</td>
    <td class=${run.errors ? "number bad" : "number"}>${amount(run.errors)}</td>
    <td>${run.findings ? html`<${Severity} severity=${run.worst_severity}/> ${run.findings}` : ""}</td></tr>`;
}
