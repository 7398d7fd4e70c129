// Paths of the page, by the History API: every view is a link.

const listeners = new Set();

export function here() {
  const path = window.location.pathname;
  const parts = path.split("/").filter(Boolean);
  return {
    view: parts[0] ?? "",
    id: parts.length > 1 ? safely(path.slice(parts[0].length + 2)) : "",
    query: new URLSearchParams(window.location.search),
  };
}

function safely(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** @param {string} to @param {{replace?: boolean}} [how] */
export function go(to, { replace = false } = {}) {
  window.history[replace ? "replaceState" : "pushState"](null, "", to);
  for (const listener of listeners) listener();
}

/** Change parameters of the address; an empty one goes. @param {Record<string, string>} changes */
export function setQuery(changes) {
  const query = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value); else query.delete(name);
  }
  const text = query.toString();
  go(`${window.location.pathname}${text ? `?${text}` : ""}`, { replace: true });
}

export function onRoute(listener) {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => { listeners.delete(listener); window.removeEventListener("popstate", listener); };
}

/** Follow links of the page without loading it again. */
export function followLinks(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest?.("a[href^='/']");
  if (!link || link.target || link.hasAttribute("download")) return;
  if (link.pathname.startsWith("/api/") || link.pathname === "/login") return;
  event.preventDefault();
  go(link.getAttribute("href"));
}
