// What views share: reading the API, following the stream, parameters of the address.

import { useCallback, useEffect, useRef, useState } from "/static/vendor/htm-preact.js";
import { ask } from "/static/api.js";

/**
 * Read a document, and read it again when parameters change or `refresh` is called.
 * The last document stays while the next one is on its way.
 */
export function useDocument(path, parameters = {}) {
  const [state, setState] = useState({ document: null, problem: null, loading: true });
  const [round, setRound] = useState(0);
  const key = JSON.stringify([path, parameters]);
  useEffect(() => {
    if (!path) return undefined;
    const cut = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    ask(path, parameters, cut.signal).then(
      (document) => setState({ document, problem: null, loading: false }),
      (problem) => {
        if (problem.name === "AbortError") return;
        setState((before) => ({ ...before, problem, loading: false }));
      },
    );
    return () => cut.abort();
  }, [key, round]);
  const refresh = useCallback(() => setRound((n) => n + 1), []);
  return { ...state, refresh };
}

const RECENT_MS = 60000;
const MOST_RECENT = 20000;

/** Keep what came in the last minute: a document that is read may be older than that. */
export function useRecent(stream) {
  const kept = useRef([]);
  useEffect(() => stream.listen((events) => {
    const now = performance.now();
    for (const event of events) kept.current.push({ at: now, event });
    const old = kept.current.findIndex(({ at }) => at > now - RECENT_MS);
    kept.current.splice(0, Math.max(old, kept.current.length - MOST_RECENT));
  }), [stream]);
  return useCallback(() => kept.current.map(({ event }) => event), []);
}

/** Call something for events, at most every so many milliseconds. */
export function useDebounced(stream, matches, act, everyMs = 1000) {
  const latest = useRef(act);
  latest.current = act;
  const wanted = useRef(matches);
  wanted.current = matches;
  useEffect(() => {
    let timer = 0;
    let last = 0;
    const stop = stream.listen((events) => {
      if (timer || !events.some((event) => wanted.current(event))) return;
      const wait = Math.max(0, last + everyMs - performance.now());
      timer = setTimeout(() => { timer = 0; last = performance.now(); latest.current(); }, wait);
    });
    return () => { stop(); clearTimeout(timer); };
  }, [stream]);
}

/** Re-render every so many milliseconds, so that ages move. */
export function useTick(everyMs) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((n) => n + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}
