// Cost over time, stacked by model, agent or whatever else.

import { html, useEffect, useRef, useState } from "/static/vendor/htm-preact.js";
import uPlot from "/static/vendor/uplot.js";
import { amount, money } from "/static/format.js";
import { useDebounced, useDocument } from "/static/hooks.js";
import { Choice, Empty, Range, RANGES, Trouble } from "/static/parts.js";
import { setQuery } from "/static/route.js";

const BY = ["model", "agent", "service", "project", "user", "environment", "provider"];
const WHAT = new Map([["cost", ["cost_usd", money]], ["tokens", ["tokens", amount]], ["calls", ["calls", amount]]]);
const HEIGHT_PX = 300;

export function Cost({ query, stream }) {
  const range = query.get("since") ?? "24h";
  const by = query.get("by") || "model";
  const what = WHAT.has(query.get("what")) ? query.get("what") : "cost";
  const seconds = RANGES.get(range) || 30 * 86400;
  const until = new Date(Math.ceil(Date.now() / 60000) * 60000);
  const since = new Date(until.getTime() - seconds * 1000);
  const cost = useDocument("cost", { by, since: since.toISOString(), until: until.toISOString() });
  useDebounced(stream, (event) => event.kind === "run", cost.refresh, 5000);
  const series = cost.document?.series ?? [];
  return html`<h1>Cost</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Range} value=${range} onChange=${(chosen) => setQuery({ since: chosen })}/>
      <${Choice} label="by" value=${by} options=${BY} onChange=${(chosen) => setQuery({ by: chosen })}/>
      <${Choice} label="show" value=${what} options=${[...WHAT.keys()]} onChange=${(chosen) => setQuery({ what: chosen })}/>
    </form>
    <${Trouble} problem=${cost.problem}/>
    ${series.length ? html`<${Chart} document=${cost.document} what=${what}/><${Sums} series=${series} by=${by}/>`
    : html`<${Empty} loading=${cost.loading}>Nothing was called in that time.<//>`}`;
}

function Chart({ document: cost, what }) {
  const box = useRef(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const change = () => setTheme((n) => n + 1);
    window.addEventListener("themechange", change);
    return () => window.removeEventListener("themechange", change);
  }, []);
  useEffect(() => {
    const node = box.current;
    const [column, show] = WHAT.get(what);
    const chart = new uPlot(options(cost, show, node), stacked(cost, column), node);
    const observer = new ResizeObserver(() => chart.setSize({ width: node.clientWidth, height: HEIGHT_PX }));
    observer.observe(node);
    return () => { observer.disconnect(); chart.destroy(); };
  }, [cost, what, theme]);
  return html`<div class="chart" ref=${box} role="img" aria-label=${`${what} over time; the table below has the sums`}></div>`;
}

/** Each line is the sum of its series and those below it: the last one is drawn first. */
function stacked(cost, column) {
  const times = cost.bins.map((at) => Date.parse(at) / 1000);
  const lines = [];
  let below = times.map(() => 0);
  for (const series of cost.series) {
    below = below.map((sum, index) => sum + (series[column][index] ?? 0));
    lines.push(below);
  }
  return [times, ...lines.reverse()];
}

function options(cost, show, node) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const bars = uPlot.paths.bars({ size: [0.9, 60] });
  const names = cost.series.map((series) => series.name || "(not named)").reverse();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
  return {
    width: node.clientWidth, height: HEIGHT_PX, legend: { show: false }, cursor: { drag: { x: false } },
    scales: { y: { range: (_, low, high) => [0, high || 1] } },
    axes: [axis, { ...axis, size: 64, values: (_, values) => values.map(show) }],
    series: [{}, ...names.map((name, index) => ({ label: name, paths: bars, points: { show: false }, width: 0, fill: colour(`--series-${(names.length - 1 - index) % 9}`) }))],
  };
}

function Sums({ series, by }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Sums"><table><thead><tr>${[by, "Cost", "Tokens", "Calls", "Without a price"].map((name, place) => html`<th scope="col" class=${place ? "number" : undefined}>${name}</th>`)}</tr></thead>
    <tbody>${series.map((each, index) => html`<tr><td class="title"><span class="swatch" aria-hidden="true" data-series=${index % 9}></span>${each.name || "(not named)"}</td>
      <td class="number">${money(each.total_usd)}</td><td class="number">${amount(each.total_tokens)}</td><td class="number">${amount(each.total_calls)}</td>
      <td class=${each.unpriced_calls ? "number bad" : "number"}>${amount(each.unpriced_calls)}</td></tr>`)}</tbody></table></div>`;
}

