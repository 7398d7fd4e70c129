// Asking the collector: JSON documents, and its problems as errors.

export class Problem extends Error {
  /** @param {number} status @param {{error?: string, because?: string, try?: string}} said */
  constructor(status, said) {
    super(said.error ?? `the collector answered ${status}`);
    this.status = status;
    this.because = said.because ?? "";
    this.hint = said.try ?? "";
  }
}

/**
 * @param {string} path Below /api/v1.
 * @param {Record<string, string|number|null|undefined>} [parameters]
 * @param {AbortSignal} [signal]
 */
export async function ask(path, parameters = {}, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}${text ? `?${text}` : ""}`, {
      signal, headers: { accept: "application/json" }, credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, {
      error: "the collector does not answer", because: String(error),
      try: "see whether fleetspan up is running",
    });
  }
  if (answer.status === 401) {
    window.location.assign("/login");
    return new Promise(() => {});
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, said);
  return said;
}

/** Part of a path from an id of telemetry. @param {string} id */
export const part = (id) => encodeURIComponent(id);
