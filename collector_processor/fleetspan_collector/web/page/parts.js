// Small pieces that several views show.

import { html } from "/static/vendor/htm-preact.js";
import { ago, clock } from "/static/format.js";

export function When({ at }) {
  return html`<time datetime=${at ?? ""} title=${clock(at)}>${ago(at)}</time>`;
}

export function Status({ status }) {
  return html`<span class="status" data-status=${status}>${status}</span>`;
}

export function Severity({ severity }) {
  return severity ? html`<span class="severity" data-severity=${severity}>${severity}</span>` : null;
}

export function Trouble({ problem }) {
  if (!problem) return null;
  return html`<div class="trouble" role="alert">
    <strong>${problem.message}</strong>
    ${problem.because && html`<span>because ${problem.because}</span>`}
    ${problem.hint && html`<span>try: ${problem.hint}</span>`}
  </div>`;
}

/** Says that something is on its way, or that there is nothing. */
export function Empty({ loading, children }) {
  return html`<p class="empty">${loading ? "Reading …" : children}</p>`;
}

/** A row of numbers over time, without axes. */
export function Spark({ values, label }) {
  const most = Math.max(...values.map((v) => v ?? 0), 1e-12);
  const width = 100 / values.length;
  return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${values.map((value, index) => html`<rect x=${index * width} width=${width * 0.8}
      y=${24 - ((value ?? 0) / most) * 24} height=${((value ?? 0) / most) * 24}/>`)}
  </svg>`;
}

/** A field of a filter. */
export function Choice({ label, value, options, onChange }) {
  return html`<label class="field"><span>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      <option value="">any</option>
      ${value && !options.includes(value) && html`<option value=${value} selected>${value}</option>`}
      ${options.map((option) => html`<option value=${option} selected=${option === value}>${option}</option>`)}
    </select></label>`;
}

export const RANGES = new Map([
  ["1h", 3600], ["6h", 6 * 3600], ["24h", 86400], ["7d", 7 * 86400], ["30d", 30 * 86400], ["all", 0],
]);

/** Since when, as the API takes it; rounded, so that the address of a document stays. */
export function sinceOf(range) {
  const seconds = RANGES.get(range) ?? 86400;
  if (!seconds) return "";
  const at = Math.floor((Date.now() / 1000 - seconds) / 60) * 60;
  return new Date(at * 1000).toISOString();
}

export function Range({ value, onChange }) {
  return html`<label class="field"><span>since</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${[...RANGES.keys()].map((name) => html`<option value=${name} selected=${name === value}>${name === "all" ? "ever" : `last ${name}`}</option>`)}
    </select></label>`;
}
