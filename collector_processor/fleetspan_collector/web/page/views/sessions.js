// Sessions, and the runs of one.

import { html, useEffect, useState } from "/static/vendor/htm-preact.js";
import { ask, part } from "/static/api.js";
import { amount, money } from "/static/format.js";
import { useDebounced, useDocument } from "/static/hooks.js";
import { Empty, Range, sinceOf, Trouble, When } from "/static/parts.js";
import { setQuery } from "/static/route.js";
import { Table } from "/static/views/runs.js";

export function Sessions({ id, query, stream }) {
  return id ? html`<${One} id=${id} stream=${stream}/>` : html`<${All} query=${query} stream=${stream}/>`;
}

function One({ id, stream }) {
  const runs = useDocument("runs", { session: id, limit: 1000 });
  useDebounced(stream, (event) => event.kind === "run", runs.refresh, 1500);
  const found = runs.document?.runs ?? [];
  return html`<h1>Session <code>${id}</code></h1><${Trouble} problem=${runs.problem}/>
    ${found.length ? html`<${Table} runs=${found}/>` : html`<${Empty} loading=${runs.loading}>It has no runs.<//>`}`;
}

function All({ query, stream }) {
  const range = query.get("since") ?? "7d";
  const [text, setText] = useState(query.get("q") ?? "");
  useEffect(() => {
    const timer = setTimeout(() => { if (text !== (query.get("q") ?? "")) setQuery({ q: text }); }, 250);
    return () => clearTimeout(timer);
  }, [text]);
  const parameters = { since: sinceOf(range), q: query.get("q"), limit: 100 };
  const first = useDocument("sessions", parameters);
  const key = JSON.stringify(parameters);
  const [more, setMore] = useState({ key, found: [], cursor: null });
  const rest = more.key === key ? more : { found: [], cursor: null };
  useDebounced(stream, (event) => event.kind === "run", first.refresh, 2000);
  const cursor = rest.cursor ?? (rest.found.length ? null : first.document?.next_cursor);
  const load = async () => {
    const next = await ask("sessions", { ...parameters, cursor });
    setMore({ key, found: [...rest.found, ...next.sessions], cursor: next.next_cursor ?? "" });
  };
  const found = [...(first.document?.sessions ?? []), ...rest.found];
  return html`<h1>Sessions</h1>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label class="field wide"><span>search</span><input type="search" value=${text} placeholder="id, name of a run  ( / )" onInput=${(event) => setText(event.target.value)}/></label>
      <${Range} value=${range} onChange=${(since) => setQuery({ since })}/></form>
    <${Trouble} problem=${first.problem}/>
    ${found.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Sessions"><table><thead><tr>${["Session", "Last active", "Runs", "Agents", "Calls", "Tokens", "Cost", "Errors"].map((name, place) => html`<th scope="col" class=${place > 1 ? "number" : undefined}>${name}</th>`)}</tr></thead>
      <tbody>${found.map((session) => html`<tr key=${session.session_id}><td class="title"><a class="row" href=${`/sessions/${part(session.session_id)}`}>${session.session_id}</a>
        <span class="under">${[session.service, session.project, session.user].filter(Boolean).join(" · ")}</span></td>
        <td><${When} at=${session.last_activity_at}/></td><td class="number">${amount(session.runs)}${session.running ? html` <span class="status" data-status="running">${session.running} running</span>` : null}</td>
        <td class="number">${amount(session.agents)}</td><td class="number">${amount(session.llm_calls + session.tool_calls)}</td>
        <td class="number">${amount(session.tokens)}</td><td class="number">${money(session.cost_usd)}${session.unpriced_calls ? "*" : ""}</td><td class=${session.errors ? "number bad" : "number"}>${amount(session.errors)}</td></tr>`)}</tbody></table></div>`
    : html`<${Empty} loading=${first.loading}>No session is like that.<//>`}
    ${cursor ? html`<p class="more"><button type="button" onClick=${load}>More sessions</button></p>` : null}`;
}
