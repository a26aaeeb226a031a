// The server's native API, and nothing of the page.

const BASE = new URL("v1/", document.baseURI);
const KEY = "partway-key";

/** An answer that is no success: `code` names the error, `message` is for people. */
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

/** Server-sent events of a stream, as {name, data}; ends with the stream. */
export async function* events(path, signal) {
  const response = await request(path, { headers: { Accept: "text/event-stream" }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text = (text + value).replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event) yield event;
    }
  }
}

function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
