// The fleet now: agents at work, the last hour, and what needs attention.

import { html } from "/static/vendor/htm-preact.js";
import { part } from "/static/api.js";
import { amount, duration, money } from "/static/format.js";
import { useDebounced, useDocument, useTick } from "/static/hooks.js";
import { Empty, Severity, Spark, Trouble, When } from "/static/parts.js";

const QUIET_S = 60;

export function Fleet({ stream }) {
  const fleet = useDocument("fleet", { limit: 500 });
  const attention = useDocument("attention");
  useDebounced(stream, (event) => ["run", "start", "missed"].includes(event.kind), fleet.refresh, 700);
  useDebounced(stream, (event) => ["finding", "run", "missed"].includes(event.kind), attention.refresh, 3000);
  useTick(1000);
  return html`<h1 class="hidden">Fleet</h1>
    <${Trouble} problem=${fleet.problem ?? attention.problem}/>
    ${fleet.document && html`<${Hour} fleet=${fleet.document}/>`}
    <div class="columns">
      <section aria-labelledby="at-work"><h2 id="at-work">At work now
        <span class="count">${fleet.document ? fleet.document.total : ""}</span></h2>
        <${Strip} fleet=${fleet}/></section>
      <section aria-labelledby="needs"><h2 id="needs">Needs attention
        <span class="count">${attention.document ? attention.document.concerns.length : ""}</span></h2>
        <${Concerns} attention=${attention}/></section>
    </div>`;
}

function Hour({ fleet }) {
  const { hour, by_minute: minutes } = fleet;
  return html`<section class="stats" aria-label="The last hour">
    <${Figure} name="agents at work" value=${amount(fleet.total)} values=${minutes.map((m) => m.agents)}/>
    <${Figure} name="runs, last hour" value=${amount(hour.runs)} note=${hour.failed_runs ? `${hour.failed_runs} failed` : "none failed"} bad=${hour.failed_runs > 0}/>
    <${Figure} name="spent, last hour" value=${money(hour.cost_usd)} values=${minutes.map((m) => m.cost_usd)}
      note=${hour.unpriced_calls ? `${amount(hour.unpriced_calls)} calls have no price` : ""}/>
    <${Figure} name="tokens, last hour" value=${amount(hour.tokens)}/>
    <${Figure} name="llm calls, last hour" value=${amount(hour.llm_calls)} values=${minutes.map((m) => m.llm_calls)}/>
    <${Figure} name="errors, last hour" value=${amount(hour.errors)} values=${minutes.map((m) => m.errors)} bad=${hour.errors > 0}/>
  </section>`;
}

function Figure({ name, value, values, note, bad }) {
  return html`<div class=${`figure${bad ? " bad" : ""}`}><span class="label">${name}</span>
    <span class="value">${value}</span>
    ${values && html`<${Spark} values=${values} label=${`${name}, minute by minute`}/>`}
    ${note && html`<span class="note">${note}</span>`}</div>`;
}

function Strip({ fleet }) {
  const agents = fleet.document?.agents ?? [];
  if (!agents.length) {
    return html`<${Empty} loading=${fleet.loading && !fleet.document}>No agent is at work.
      Point <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> of a program here, or try <code>fleetspan demo</code>.<//>`;
  }
  return html`<ul class="strip rows">${agents.map((agent) => html`<${Worker} key=${`${agent.run_id} ${agent.agent_id}`} agent=${agent}/>`)}</ul>`;
}

function Worker({ agent }) {
  const quiet = (Date.now() - Date.parse(agent.last_activity_at)) / 1000;
  const age = (Date.now() - Date.parse(agent.started_at)) / 1000;
  return html`<li><a class="row worker" data-quiet=${quiet > QUIET_S ? "yes" : "no"} href=${`/runs/${part(agent.run_id)}?row=${part(agent.agent_id)}`}>
    <span class="who"><span class="pulse" aria-hidden="true"></span><strong>${agent.name ?? agent.agent_id}</strong>
      ${agent.type && html`<span class="type">${agent.type}</span>`}</span>
    <span class="doing">${agent.doing ?? agent.model ?? ""}</span>
    <span class="of">${agent.run_name ?? agent.run_id}</span>
    <span class="facts"><span title="since it began">${duration(age)}</span>
      <span title="tokens">${amount(agent.tokens)} tok</span><span title="cost">${money(agent.cost_usd)}</span>
      ${quiet > QUIET_S && html`<span class="quiet">quiet ${duration(quiet)}</span>`}</span>
  </a></li>`;
}

function Concerns({ attention }) {
  const concerns = attention.document?.concerns ?? [];
  if (!concerns.length) {
    return html`<${Empty} loading=${attention.loading && !attention.document}>Nothing needs attention.<//>`;
  }
  return html`<ul class="concerns rows">${concerns.map((concern) => html`<li><a class="row concern" href=${concern.link}>
    <span class="top"><${Severity} severity=${concern.severity}/> <span class="kind">${concern.kind.replaceAll("_", " ")}</span>
      ${concern.at && html`<${When} at=${concern.at}/>`}
      ${concern.usd ? html`<span class="usd">${money(concern.usd)}</span>` : null}</span>
    <span class="what">${concern.what}</span><span class="todo">${concern.todo}</span></a></li>`)}</ul>`;
}
