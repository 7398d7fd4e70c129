// Numbers, times and durations as a person reads them. Unknown is "–", never 0.

export const UNKNOWN = "–";

/** @param {number|null|undefined} value */
const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** @param {number|null|undefined} usd */
export function money(usd) {
  if (!isKnown(usd)) return UNKNOWN;
  const size = Math.abs(usd);
  if (size === 0) return "$0";
  if (size < 0.001) return `$${usd.toPrecision(1)}`;
  if (size < 1) return `$${usd.toFixed(3)}`;
  if (size < 1000) return `$${usd.toFixed(2)}`;
  return `$${Math.round(usd).toLocaleString("en-US")}`;
}

/** @param {number|null|undefined} count */
export function amount(count) {
  if (!isKnown(count)) return UNKNOWN;
  const size = Math.abs(count);
  if (size < 1000) return String(count);
  for (const [unit, scale] of [["k", 1e3], ["M", 1e6], ["G", 1e9]]) {
    if (size < scale * 999.5) {
      const shown = count / scale;
      return `${shown < 10 ? shown.toFixed(1) : Math.round(shown)}${unit}`;
    }
  }
  return `${(count / 1e12).toFixed(1)}T`;
}

/** @param {number|null|undefined} seconds */
export function duration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  const size = Math.abs(seconds);
  if (size < 0.0005) return size === 0 ? "0" : `${Math.round(seconds * 1e6)} µs`;
  if (size < 1) return `${Math.round(seconds * 1000)} ms`;
  if (size < 10) return `${seconds.toFixed(2)} s`;
  if (size < 60) return `${seconds.toFixed(1)} s`;
  if (size < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (size < 86400) {
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** How long ago a time was. @param {string|null|undefined} at */
export function ago(at) {
  if (!at) return UNKNOWN;
  const seconds = (Date.now() - Date.parse(at)) / 1000;
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** A time on this machine's clock. @param {string|null|undefined} at */
export function clock(at) {
  if (!at) return UNKNOWN;
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return UNKNOWN;
  const day = moment.toLocaleDateString("sv-SE");
  const time = moment.toLocaleTimeString("sv-SE");
  return `${day} ${time}`;
}

/** All tokens of a run or an agent. @param {Record<string, any>} usage */
export function tokensOf(usage) {
  const parts = [
    usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens,
  ];
  return parts.every((part) => !isKnown(part)) ? null : parts.reduce((a, b) => a + (b ?? 0), 0);
}
