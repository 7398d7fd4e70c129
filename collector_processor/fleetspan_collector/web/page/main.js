// The page: its frame, which view is shown, and keys.

import { html, render, useEffect, useState } from "/static/vendor/htm-preact.js";
import { ask } from "/static/api.js";
import { followLinks, go, here, onRoute } from "/static/route.js";
import { Stream } from "/static/stream.js";
import { Cost } from "/static/views/cost.js";
import { Coverage } from "/static/views/coverage.js";
import { Findings } from "/static/views/findings.js";
import { Fleet } from "/static/views/fleet.js";
import { LiveStream } from "/static/views/live.js";
import { RunView } from "/static/views/run.js";
import { Runs } from "/static/views/runs.js";
import { Sessions } from "/static/views/sessions.js";

const VIEWS = [
  ["", "Fleet", "g"], ["runs", "Runs", "r"], ["findings", "Findings", "f"], ["sessions", "Sessions", "s"],
  ["cost", "Cost", "c"], ["coverage", "Coverage", "v"], ["live", "Live", "l"],
];
const KEYS = [
  ["/", "search"], ["j, k", "next, previous row"], ["Enter", "open"], ["Esc", "close, back"],
  ["←, →", "collapse, expand in a waterfall"], ["+, −, 0", "zoom a waterfall, all of it"],
  ["g then a letter", VIEWS.map(([, name, key]) => `${key} ${name}`).join(", ")],
  ["t", "dark or light"], ["?", "these keys"],
];
const THEME = "fleetspan-theme";

function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function otherTheme() {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = dark ? "light" : "dark";
  localStorage.setItem(THEME, theme);
  applyTheme(theme);
  window.dispatchEvent(new Event("themechange"));
}

function useRoute() {
  const [route, setRoute] = useState(here());
  useEffect(() => onRoute(() => setRoute(here())), []);
  return route;
}

function useKeys(showHelp) {
  useEffect(() => {
    let going = false;
    const onKey = (event) => {
      const typing = event.target.closest?.("input, select, textarea");
      if (typing) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey) return;
      if (going) {
        going = false;
        const view = VIEWS.find(([, , key]) => key === event.key);
        if (view) { event.preventDefault(); go(`/${view[0]}`); }
        return;
      }
      switch (event.key) {
        case "g": going = true; setTimeout(() => { going = false; }, 1200); break;
        case "t": otherTheme(); break;
        case "?": showHelp((shown) => !shown); break;
        case "Escape": showHelp(false); break;
        case "/": {
          const search = document.querySelector("input[type=search]");
          if (search) { event.preventDefault(); search.focus(); }
          break;
        }
        case "j": case "k": moveRow(event.key === "j" ? 1 : -1); break;
        default:
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/** Move the focus among the rows of the list that is shown. */
function moveRow(step) {
  const links = [...document.querySelectorAll("main table tbody a.row, main ul.rows a.row")];
  if (!links.length) return;
  const place = links.indexOf(document.activeElement);
  links[Math.min(Math.max(place + step, 0), links.length - 1)].focus();
}

function Page({ stream, who }) {
  const route = useRoute();
  const [help, showHelp] = useState(false);
  const [state, setState] = useState(stream.state);
  useKeys(showHelp);
  useEffect(() => { setState(stream.state); stream.watchers.add(setState); return () => stream.watchers.delete(setState); }, []);
  useEffect(() => {
    const view = VIEWS.find(([path]) => path === route.view);
    document.title = `${route.id || (view ? view[1] : "Not found")} · Fleetspan`;
  }, [route.view, route.id]);
  return html`<div class="frame" onClick=${followLinks}>
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <header>
      <a class="name" href="/"><img src="/static/icon.svg" alt="" width="22" height="22"/>Fleetspan</a>
      <nav aria-label="Views">${VIEWS.map(([path, name]) => html`<a href=${`/${path}`}
        aria-current=${route.view === path ? "page" : undefined}>${name}</a>`)}</nav>
      <div class="tools">
        <span class="stream" data-state=${state} role="status">${state}</span>
        ${who.tenant !== null && html`<span class="tenant" title="whose rows are shown">${who.tenant || "default tenant"}</span>`}
        <button type="button" onClick=${otherTheme} aria-label="Dark or light" title="Dark or light (t)">◐</button>
        <button type="button" onClick=${() => showHelp(!help)} aria-expanded=${help} aria-label="Keys" title="Keys (?)">?</button>
        ${who.required && who.key_id && who.key_id !== "owner" && html`<form method="post" action="/logout"><button type="submit">Log out</button></form>`}
      </div>
    </header>
    <main id="main" tabindex="-1">${shown(route, stream)}</main>
    ${help && html`<div class="help" role="dialog" aria-label="Keys"><h2>Keys</h2><dl>
      ${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
      <button type="button" onClick=${() => showHelp(false)}>Close</button></div>`}
  </div>`;
}

function shown(route, stream) {
  switch (route.view) {
    case "": return html`<${Fleet} stream=${stream}/>`;
    case "runs":
      return route.id
        ? html`<${RunView} key=${route.id} id=${route.id} query=${route.query} stream=${stream}/>`
        : html`<${Runs} query=${route.query} stream=${stream}/>`;
    case "findings": return html`<${Findings} query=${route.query} stream=${stream}/>`;
    case "sessions": return html`<${Sessions} id=${route.id} query=${route.query} stream=${stream}/>`;
    case "cost": return html`<${Cost} query=${route.query} stream=${stream}/>`;
    case "coverage": return html`<${Coverage} query=${route.query} stream=${stream}/>`;
    case "live": return html`<${LiveStream} query=${route.query} stream=${stream}/>`;
    default: return html`<p class="empty">There is no such view.</p>`;
  }
}

applyTheme(localStorage.getItem(THEME));
const who = await ask("whoami");
if (who.required && !who.key_id) window.location.assign("/login");
else render(html`<${Page} stream=${new Stream()} who=${who}/>`, document.getElementById("app"));
