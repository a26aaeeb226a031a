// The server's native API, and nothing of the page.

const BASE = new URL("v1/", document.baseURI);
const KEY = "partway-key";
const SILENCE = 45_000; // milliseconds; a stream that lives says something every 15 s

/**
 * An answer that is no success: `code` names the error, `message` is for people, `status` is 0
 * where nothing answered.
 */
export class ApiError extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

let askForKey = null;

/** Where a server wants a key: `ask` gives it, or null. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response;
  try {
    response = await fetch(new URL(path, BASE), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "the server does not answer; is `partway page` still running?");
  }
  if (response.status === 401 && askForKey) {
    const given = await askForKey();
    if (given) {
      sessionStorage.setItem(KEY, given);
      return request(path, options);
    }
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function errorOf(response) {
  const { status } = response;
  try {
    const { error } = await response.json();
    return new ApiError(String(error.code), String(error.message), status);
  } catch {
    return new ApiError("http", `the server answered ${status} ${response.statusText}`, status);
  }
}

export async function getJson(path) {
  return (await request(path)).json();
}

export async function postJson(path, value, signal) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(value);
  return (await request(path, { method: "POST", headers, body, signal })).json();
}

export async function postForm(path, form) {
  return (await request(path, { method: "POST", body: form })).json();
}

export async function getBlob(path) {
  return (await request(path)).blob();
}

/** Outlives the page that asks for it. */
export async function remove(path) {
  await request(path, { method: "DELETE", keepalive: true });
}

/**
 * Server-sent events of a stream behind the one with this id, as {id, name, data}, the first of
 * them "open"; ends with the stream, throws where it breaks off or falls silent.
 */
export async function* events(path, after, signal) {
  const headers = { Accept: "text/event-stream" };
  if (after) headers["Last-Event-ID"] = after;
  const response = await request(path, { headers, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    yield { id: after, name: "open", data: {} };
    for (;;) {
      const { done, value } = await within(SILENCE, reader.read());
      if (done) return;
      text = (text + value).replaceAll("\r\n", "\n");
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => null);
  }
}

/** What a promise comes to, unless that takes too long. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new ApiError("silent", "the server says nothing any more")), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function parseEvent(block) {
  const fields = { id: "", event: "message" };
  const data = [];
  for (const line of block.split("\n")) {
    const [name, value = ""] = line.split(/: ?(.*)/s);
    if (name === "data") data.push(value);
    else if (name) fields[name] = value;
  }
  return data.length ? { id: fields.id, name: fields.event, data: JSON.parse(data.join("\n")) } : null;
}
