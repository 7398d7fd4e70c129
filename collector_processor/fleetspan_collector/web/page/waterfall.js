// The waterfall of a run. Only the rows in sight are drawn, however many there are.

import { html, useEffect, useLayoutEffect, useRef, useState } from "/static/vendor/htm-preact.js";
import { amount, duration, money } from "/static/format.js";

const ROW_PX = 24;
const MARGIN_ROWS = 10;
const NARROW_PX = 640;
const TICKS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];

export function Waterfall({ tree, live, selected, lit, onSelect }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600, width: 800 });
  const [zoom, setZoom] = useState(null);
  const [focus, setFocus] = useState(-1);
  const [, redraw] = useState(0);
  const whole = [tree.first(), tree.end()];
  const [from, until] = zoom ?? whole;
  useMeasured(box, setView);
  useGrowing(tree, () => redraw((n) => n + 1));
  useReveal(box, tree, selected);
  const place = focus >= 0 ? focus : Math.max(tree.shown.indexOf(selected), 0);
  const first = Math.max(0, Math.floor(view.top / ROW_PX) - MARGIN_ROWS);
  const last = Math.min(tree.shown.length, Math.ceil((view.top + view.height) / ROW_PX) + MARGIN_ROWS);
  const keys = (event) => onKey(event, { tree, place, setFocus, onSelect, selected, zoom: [from, until], setZoom, whole, box, redraw });
  const wheel = (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    setZoom(zoomed([from, until], whole, event.deltaY < 0 ? 0.8 : 1.25));
  };
  const rows = [];
  for (let index = first; index < last; index += 1) {
    rows.push(html`<${Row} key=${tree.shown[index]} tree=${tree} place=${index} from=${from} until=${until}
      selected=${tree.shown[index] === selected} focused=${index === place} lit=${lit} narrow=${view.width < NARROW_PX}
      onToggle=${(open) => { tree.toggle(tree.shown[index], open); redraw((n) => n + 1); }} onSelect=${() => { setFocus(index); onSelect(tree.shown[index] === selected ? -1 : tree.shown[index]); }}/>`);
  }
  return html`<div class="waterfall">
    <div class="ruler"><span class="tree-cell">${amount(tree.shown.length)} rows
      <span class="zoom"><button type="button" aria-label="Zoom in" onClick=${() => setZoom(zoomed([from, until], whole, 0.5))}>+</button>
      <button type="button" aria-label="Zoom out" onClick=${() => setZoom(zoomed([from, until], whole, 2))}>−</button>
      ${zoom && html`<button type="button" onClick=${() => setZoom(null)}>all</button>`}
      ${zoom && html`<button type="button" aria-label="Earlier" onClick=${() => setZoom(moved([from, until], whole, -0.5))}>←</button><button type="button" aria-label="Later" onClick=${() => setZoom(moved([from, until], whole, 0.5))}>→</button>`}</span></span>
      <span class="axis" aria-hidden="true"><${Axis} from=${from} until=${until} most=${view.width < NARROW_PX ? 3 : 8}/></span><span class="cost-cell">cost</span></div>
    <div class="rows" ref=${box} role="treegrid" aria-label="What the run did" aria-rowcount=${tree.shown.length} tabindex="0"
      aria-activedescendant=${tree.shown.length ? `row-${tree.shown[place]}` : undefined} onKeyDown=${keys} onWheel=${wheel} data-live=${live}>
      <div class="all" role="presentation" style=${{ height: `${tree.shown.length * ROW_PX}px` }}>${rows}</div></div></div>`;
}

function Row({ tree, place, from, until, selected, focused, lit, narrow, onToggle, onSelect }) {
  const index = tree.shown[place];
  const depth = tree.depth[place];
  const lasting = tree.lasting(index);
  const span = until - from;
  const left = ((tree.start[index] - from) / span) * 100;
  const width = ((lasting ?? 0) / span) * 100;
  const children = tree.children[index].length;
  const isLit = lit.size && (lit.has(tree.id[index]) || (tree.spanId[index] && lit.has(tree.spanId[index])));
  const critical = tree.critical[index] > 0;
  const indent = Math.min(depth, narrow ? 6 : 24) * (narrow ? 8 : 14);
  return html`<div class="line" role="row" id=${`row-${index}`} aria-level=${depth + 1} aria-rowindex=${place + 1}
      aria-expanded=${children ? !tree.collapsed.has(index) : undefined} aria-selected=${selected} data-kind=${tree.kind[index]} data-status=${tree.status[index]}
      data-focused=${focused} data-lit=${isLit ? "yes" : undefined} data-critical=${critical ? "yes" : undefined} style=${{ top: `${place * ROW_PX}px` }} onClick=${onSelect}>
    <span class="tree-cell" role="gridcell" style=${{ paddingInlineStart: `${indent + 4}px` }}>
      ${children ? html`<button type="button" class="fold" tabindex="-1" aria-label=${tree.collapsed.has(index) ? "Expand" : "Collapse"}
        onClick=${(event) => { event.stopPropagation(); onToggle(tree.collapsed.has(index)); }}>${tree.collapsed.has(index) ? "▸" : "▾"}</button>` : html`<span class="fold"></span>`}
      <span class="mark" data-kind=${tree.kind[index]} aria-hidden="true"></span><span class="text">${tree.name[index]}</span></span>
    <span class="bar-cell" role="gridcell">
      <span class="bar" data-kind=${tree.kind[index]} data-status=${tree.status[index]} data-open=${tree.isOpen(index) ? "yes" : undefined} data-span=${tree.spanId[index] || tree.id[index]}
        data-ended=${tree.length[index] === null ? undefined : "yes"} style=${{ left: `${clamped(left)}%`, width: `${Math.max(clamped(left + width) - clamped(left), 0)}%` }}>
        ${tree.wait[index] ? html`<span class="wait" style=${{ width: `${Math.min((tree.wait[index] / (lasting || 1)) * 100, 100)}%` }}></span>` : null}</span>
      <span class="length" style=${labelled(left, width)}>${duration(lasting)}${tree.tokens[index] === null ? "" : ` · ${amount(tree.tokens[index])} tok`}</span></span>
    <span class="cost-cell" role="gridcell">${tree.kind[index] === "llm" ? money(tree.cost[index]) : ""}</span></div>`;
}

const clamped = (percent) => Math.min(Math.max(percent, -1), 101);

/** The label stands after its bar, or before it where there is no room. */
function labelled(left, width) {
  const after = left + width;
  return after < 78 ? { left: `${Math.max(after, 0)}%` } : { right: `${100 - Math.min(Math.max(left, 0), 100)}%` };
}

function Axis({ from, until, most }) {
  const step = TICKS.find((each) => (until - from) / each <= most) ?? TICKS[TICKS.length - 1] * Math.ceil((until - from) / TICKS[TICKS.length - 1] / most);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) ticks.push(at);
  return ticks.map((at) => html`<span class="tick" style=${{ left: `${((at - from) / (until - from)) * 100}%` }}>${duration(at)}</span>`);
}

function useMeasured(box, setView) {
  useLayoutEffect(() => {
    const node = box.current;
    const measure = () => setView({ top: node.scrollTop, height: node.clientHeight, width: node.clientWidth });
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    node.addEventListener("scroll", measure, { passive: true });
    return () => { observer.disconnect(); node.removeEventListener("scroll", measure); };
  }, []);
}

/** While something is open its bar grows: a few times a second, not more. */
function useGrowing(tree, redraw) {
  useEffect(() => {
    let timer = 0;
    const quiet = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const grow = () => {
      if (!document.hidden && tree.status.some((_, index) => tree.isOpen(index))) requestAnimationFrame(redraw);
      timer = setTimeout(grow, quiet ? 2000 : 200);
    };
    timer = setTimeout(grow, 200);
    return () => clearTimeout(timer);
  }, [tree]);
}

function useReveal(box, tree, selected) {
  useEffect(() => {
    if (selected < 0) return;
    for (let above = tree.parent[selected]; above >= 0; above = tree.parent[above]) tree.collapsed.delete(above);
    tree.order();
    reveal(box.current, tree.shown.indexOf(selected));
  }, [selected, tree]);
}

function reveal(node, place) {
  if (!node || place < 0) return;
  const top = place * ROW_PX;
  if (top < node.scrollTop) node.scrollTop = top - ROW_PX;
  else if (top + ROW_PX > node.scrollTop + node.clientHeight) node.scrollTop = top + 2 * ROW_PX - node.clientHeight;
}

function zoomed([from, until], [first, last], factor) {
  const middle = (from + until) / 2;
  const half = Math.max(((until - from) / 2) * factor, 1e-5);
  if (half * 2 >= last - first) return null;
  return moved([middle - half, middle + half], [first, last], 0);
}

function moved([from, until], [first, last], share) {
  const width = until - from;
  const start = Math.min(Math.max(from + share * width, first), last - width);
  return [start, start + width];
}

function onKey(event, { tree, place, setFocus, onSelect, selected, zoom, setZoom, whole, box, redraw }) {
  const index = tree.shown[place];
  const step = (to) => { const next = Math.min(Math.max(to, 0), tree.shown.length - 1); setFocus(next); reveal(box.current, next); };
  const actions = {
    ArrowDown: () => step(place + 1), ArrowUp: () => step(place - 1), j: () => step(place + 1), k: () => step(place - 1),
    PageDown: () => step(place + 20), PageUp: () => step(place - 20), Home: () => step(0), End: () => step(tree.shown.length - 1),
    Enter: () => onSelect(index === selected ? -1 : index), Escape: () => onSelect(-1),
    ArrowRight: () => { tree.toggle(index, true); redraw((n) => n + 1); },
    ArrowLeft: () => {
      if (tree.children[index].length && !tree.collapsed.has(index)) { tree.toggle(index, false); redraw((n) => n + 1); return; }
      const above = tree.shown.indexOf(tree.parent[index]);
      if (above >= 0) step(above);
    },
    "+": () => setZoom(zoomed(zoom, whole, 0.5)), "-": () => setZoom(zoomed(zoom, whole, 2)), 0: () => setZoom(null),
  };
  const act = actions[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || !tree.shown.length) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}
