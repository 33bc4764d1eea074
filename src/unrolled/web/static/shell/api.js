// The one way to the server: docs/lab-api.md. Whatever goes wrong is a LabError with one line for a person.

// Milliseconds after which a stream that broke off is asked for again; doubled each time, up to the longest.
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
// Letters that end a message, less one.
const LONGEST_END = 3;

/** kind: the class of the error at the server, or "Unreachable". field: of the form, where one is known. */
export class LabError extends Error {
  constructor(message, { kind = "Unreachable", field = null, status = 0 } = {}) {
    super(message);
    Object.assign(this, { kind, field, status });
  }
}

/** GET an address below /api/ → its JSON. */
export async function get(path, { signal } = {}) {
  return (await request(path, { signal })).json();
}

/** POST plain data → the answer's JSON, or null where it has none. */
export async function post(path, data = {}, { signal } = {}) {
  const answer = await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(data),
    signal,
  });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** POST bytes (a File) → the answer's JSON. */
export async function upload(path, bytes, { signal } = {}) {
  const headers = { "Content-Type": "application/octet-stream" };
  return (await request(path, { method: "POST", headers, body: bytes, signal })).json();
}

/**
 * Run an action and get what it says as it comes: `for await (const event of act("inspect unit", {text: "Once"})) …`.
 * fields: only those that differ from their defaults. LabError where the server says so; leaving the loop stops the
 * action.
 */
export async function* act(name, fields = {}, { signal } = {}) {
  const own = new AbortController();
  const stop = () => own.abort();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const answer = await request(`actions/${name.split(" ").map(encodeURIComponent).join("/")}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ fields }),
      signal: own.signal,
    });
    for await (const { data } of messages(answer.body)) {
      if (data.event === "done") return;
      if (data.event === "error") throw new LabError(data.message, { kind: data.kind });
      yield data;
    }
    throw new LabError("The answer broke off before its end. Is the lab still running?");
  } finally {
    signal?.removeEventListener("abort", stop);
    own.abort();
  }
}

/**
 * Follow a stream (a run's events) until it is done or `signal` aborts; where it breaks off, go on from the last that
 * came. told(object): each of them. state(true or false): whether it is connected.
 */
export async function follow(path, told, { signal, state = () => {} }) {
  let last = null;
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    try {
      const headers = last === null ? {} : { "Last-Event-ID": last };
      const answer = await request(path, { headers, signal });
      state(true);
      for await (const { id, data } of messages(answer.body)) {
        wait = FIRST_WAIT;
        if (id !== null) last = id;
        if (data.event === "error") throw new LabError(data.message, { kind: data.kind, status: 500 });
        if (data.event === "done") return;
        told(data);
      }
    } catch (error) {
      if (signal.aborted) return;
      // What the server refuses it will refuse again; a line that broke is worth another try.
      if (error instanceof LabError && error.status >= 400 && error.status !== 503 && error.status !== 429) throw error;
    }
    state(false);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { credentials: "same-origin", cache: "no-cache", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new LabError("The lab does not answer. Is `unrolled lab` still running?");
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  try {
    const { error } = await answer.json();
    return new LabError(error.message, { kind: error.kind, field: error.field ?? null, status: answer.status });
  } catch {
    return new LabError(`The lab answered ${answer.status} ${answer.statusText}`, { status: answer.status });
  }
}

/** The objects of a stream of server-sent events: {id, data}. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  // A message may be megabytes long and come in hundreds of pieces: each is searched once, with the last letters of the
  // one before, in which the end may have begun.
  let held = [];
  let tail = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (tail + value).split(/\r?\n\r?\n/);
      const rest = blocks.pop();
      for (const block of blocks) {
        const message = parsed(held.join("") + block);
        held = [];
        if (message) yield message;
      }
      const end = Math.max(rest.length - LONGEST_END, 0);
      held.push(rest.slice(0, end));
      tail = rest.slice(end);
    }
  } finally {
    await reader.cancel().catch(() => {}); // a stream that was aborted has nothing left to cancel
  }
}

function parsed(block) {
  let id = null;
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = line.match(/^([^:]*):? ?(.*)$/s);
    if (name === "id") id = value;
    else if (name === "data") data.push(value);
  }
  return data.length ? { id, data: JSON.parse(data.join("\n")) } : null;
}
