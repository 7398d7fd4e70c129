// How much of what happened is known, and what is not.

import { html } from "/static/vendor/htm-preact.js";
import { amount, duration, money, UNKNOWN } from "/static/format.js";
import { useDebounced, useDocument } from "/static/hooks.js";
import { Empty, Range, sinceOf, Trouble } from "/static/parts.js";
import { setQuery } from "/static/route.js";

export function Coverage({ query, stream }) {
  const range = query.get("since") ?? "24h";
  const coverage = useDocument("coverage", { since: sinceOf(range) });
  useDebounced(stream, (event) => event.kind === "run", coverage.refresh, 5000);
  const known = coverage.document;
  return html`<h1>Coverage</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}><${Range} value=${range} onChange=${(since) => setQuery({ since })}/></form>
    <${Trouble} problem=${coverage.problem}/>
    ${known ? html`<${Shares} known=${known}/><${Counts} name="Refused requests, since this collector started" counts=${known.refused}/>
      <${Counts} name="Rejected out of accepted requests" counts=${known.rejected}/><${Forwarding} lags=${known.forwarding}/>`
    : html`<${Empty} loading=${coverage.loading}/>`}`;
}

function Shares({ known }) {
  const rows = [
    ["Spans without their parent", known.orphan_spans, known.spans, "Some process of a run does not send here, or not yet."],
    ["Calls without a price", known.unpriced_calls, known.llm_calls, known.unpriced_models.length ? `Models: ${known.unpriced_models.join(", ")}. Name their prices, then fleetspan reprice.` : ""],
    ["Calls without tokens", known.calls_without_tokens, known.llm_calls, "Their instrumentation reports no usage."],
    ["Tool calls timed by their receipt", known.receipt_times, null, "Their feed has no times of its own."],
    ["Records the engine would not read", known.quarantined_records, null, "fleetspan doctor says where they are."],
  ];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What is not known"><table><thead><tr><th scope="col">What is not known</th><th scope="col">Count</th><th scope="col">Of</th><th scope="col">Share</th><th scope="col">What to do</th></tr></thead>
    <tbody>${rows.map(([name, count, of, todo]) => html`<tr><td class="title">${name}</td><td class=${count ? "number bad" : "number"}>${amount(count)}</td><td class="number">${of === null ? "" : amount(of)}</td>
      <td class="number">${of ? `${((100 * count) / of).toFixed(count && count / of < 0.01 ? 2 : 1)} %` : of === null ? "" : UNKNOWN}</td><td>${count ? todo : ""}</td></tr>`)}
      <tr><td class="title">Cost that clients tell of and no call explains</td><td class="number" colspan="3">${money(known.unattributed_usd)}</td><td></td></tr></tbody></table></div>`;
}

function Counts({ name, counts }) {
  const entries = Object.entries(counts);
  return html`<h2>${name}</h2>${entries.length ? html`<dl class="pairs">${entries.map(([reason, count]) => html`<div><dt>${reason.replaceAll("_", " ")}</dt><dd>${amount(count)}</dd></div>`)}</dl>` : html`<p class="empty">None.</p>`}`;
}

function Forwarding({ lags }) {
  if (!lags.length) return null;
  return html`<h2>Forwarding</h2><div class="scroll" tabindex="0" role="region" aria-label="Forwarding"><table><thead><tr>${["Destination", "Behind", "Waiting", "Sent", "Dropped", "Problem"].map((name, place) => html`<th scope="col" class=${place ? "number" : undefined}>${name}</th>`)}</tr></thead>
    <tbody>${lags.map((lag) => html`<tr><td class="title">${lag.destination}</td><td class="number">${duration(lag.lag_s)}</td><td class="number">${amount(lag.waiting_bytes)} B</td><td class="number">${amount(lag.sent_requests)}</td>
      <td class=${lag.dropped_records ? "number bad" : "number"}>${amount(lag.dropped_records)}</td><td>${lag.problem ?? ""}</td></tr>`)}</tbody></table></div>`;
}
