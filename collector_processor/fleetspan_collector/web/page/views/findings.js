// All findings, newest first.

import { html, useState } from "/static/vendor/htm-preact.js";
import { ask, part } from "/static/api.js";
import { duration, money } from "/static/format.js";
import { useDebounced, useDocument } from "/static/hooks.js";
import { Choice, Empty, Range, Severity, sinceOf, Trouble, When } from "/static/parts.js";
import { setQuery } from "/static/route.js";

export function Findings({ query, stream }) {
  const range = query.get("since") ?? "7d";
  const parameters = { since: sinceOf(range), detector: query.get("detector"), severity: query.get("severity"), agent: query.get("agent"), limit: 60 };
  const first = useDocument("findings", parameters);
  const detectors = useDocument("facets", { field: "detector" });
  const key = JSON.stringify(parameters);
  const [more, setMore] = useState({ key, found: [], cursor: null });
  const rest = more.key === key ? more : { found: [], cursor: null };
  useDebounced(stream, (event) => event.kind === "finding" || event.kind === "missed", first.refresh, 1500);
  const cursor = rest.cursor ?? (rest.found.length ? null : first.document?.next_cursor);
  const load = async () => {
    const next = await ask("findings", { ...parameters, cursor });
    setMore({ key, found: [...rest.found, ...next.findings], cursor: next.next_cursor ?? "" });
  };
  const found = [...(first.document?.findings ?? []), ...rest.found];
  return html`<h1>Findings</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Range} value=${range} onChange=${(since) => setQuery({ since })}/>
      <${Choice} label="at least" value=${query.get("severity") ?? ""} options=${["info", "low", "medium", "high", "critical"]} onChange=${(severity) => setQuery({ severity })}/>
      <${Choice} label="detector" value=${query.get("detector") ?? ""} options=${detectors.document?.values.map((each) => each.value) ?? []} onChange=${(detector) => setQuery({ detector })}/>
    </form>
    <${Trouble} problem=${first.problem}/>
    ${found.length ? html`<ul class="concerns rows">${found.map((finding) => html`<li key=${finding.finding_id}><a class="row concern" href=${`/runs/${part(finding.run_id)}?finding=${part(finding.finding_id)}`}>
      <span class="top"><${Severity} severity=${finding.severity}/> <span class="kind">${finding.detector.replaceAll("_", " ")}</span> <${When} at=${finding.at}/>
        <span class="of">${[finding.run_name ?? finding.run_id, finding.agent_name].filter(Boolean).join(" · ")}</span>
        <span class="usd">${finding.usd === null ? "" : `saves ${money(finding.usd)}`} ${finding.seconds === null ? "" : duration(finding.seconds)}</span></span>
      <span class="what">${finding.what}</span><span class="todo">${finding.advice}</span></a></li>`)}</ul>`
    : html`<${Empty} loading=${first.loading}>Nothing was found.<//>`}
    ${cursor ? html`<p class="more"><button type="button" onClick=${load}>More findings</button></p>` : null}`;
}
