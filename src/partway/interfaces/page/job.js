// One job on the server: submitted, listened to, taken up again where the connection breaks, cancelled.

import { ApiError, events, getBlob, getJson, postForm, remove } from "./api.js";

const FINISHED = new Set(["done", "failed", "cancelled"]);
const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds between tries, the last one ever after
const PASSING = new Set([0, 502, 503, 504]); // statuses of a server that may come back

export class Job {
  /**
   * path  "edits" or "sweeps"
   * on    listeners by event name; `done` gets the result with its picture as a blob; `lost` gets
   *       true when the connection is lost and false when it is back
   */
  constructor(path, form, on) {
    this.path = path;
    this.form = form;
    this.on = on;
    this.id = null;
    this.heard = ""; // id of the last event
    this.cancelled = false;
    this.settled = new Set();
    this.tries = 0; // in vain, since something was last heard
    this.abort = new AbortController();
  }

  /**
   * Until every result is there, failed or cancelled. Throws what kept the job from running; the
   * code "gone" says that the server does not know it any more.
   */
  async run() {
    const { id } = await postForm(this.path, this.form);
    this.id = id;
    if (this.cancelled) return void (await this.cancel());
    try {
      while (!this.cancelled) {
        if ((await this.listen()) || (await this.catchUp())) return;
        await this.pause();
      }
    } finally {
      this.found();
    }
  }

  /** Stop it; results that are done stay. */
  async cancel() {
    this.cancelled = true;
    if (this.id === null) return;
    this.abort.abort();
    await remove(`jobs/${this.id}`).catch(() => null); // it may have ended by itself
  }

  /** Pass events on; true if the stream came to its own end. */
  async listen() {
    let ended = false; // the stream is read to its end: a connection left early looks broken
    try {
      for await (const { id, name, data } of events(`jobs/${this.id}/events`, this.heard, this.abort.signal)) {
        this.found();
        if (name === "end") ended = true;
        else await this.hear(name, data);
        this.heard = id; // what could not be fetched is told again
      }
    } catch (error) {
      this.lose(error);
    }
    return ended || this.cancelled;
  }

  async hear(name, data) {
    const last = name === "done" || name === "failed";
    if (this.cancelled || (last && this.settled.has(data.index))) return;
    if (name === "done") data.blob = await getBlob(data.image);
    if (last) this.settled.add(data.index); // what could not be fetched is asked for again
    if (!this.cancelled) this.on[name]?.(data);
  }

  /** What was missed while the stream was broken; true if the job is over. */
  async catchUp() {
    try {
      const job = await getJson(`jobs/${this.id}`);
      for (const result of job.results) {
        if (result.status === "done") await this.hear("done", result);
        if (result.status === "failed") {
          await this.hear("failed", { index: result.index, ...result.error });
        }
      }
      return FINISHED.has(job.status);
    } catch (error) {
      this.lose(error);
      return false;
    }
  }

  /** Say that the connection is lost; throw what is more than that. */
  lose(error) {
    if (error.name === "AbortError") return;
    if (error.status === 404) {
      const why = "it was started anew, or too much time has passed";
      throw new ApiError("gone", `The server does not know this edit any more: ${why}.`, 404);
    }
    if (error instanceof ApiError && !PASSING.has(error.status)) throw error;
    if (this.tries > 0) this.on.lost?.(true); // the first time it may have been nothing
  }

  found() {
    if (this.tries > 0) this.on.lost?.(false);
    this.tries = 0;
  }

  /** Before the next try: longer each time, but no longer than the network is away. */
  async pause() {
    const milliseconds = PAUSES[Math.min(this.tries, PAUSES.length - 1)];
    this.tries += 1;
    const done = new AbortController();
    const { signal } = done;
    await new Promise((wake) => {
      const timer = setTimeout(wake, milliseconds);
      signal.addEventListener("abort", () => clearTimeout(timer));
      this.abort.signal.addEventListener("abort", wake, { signal });
      addEventListener("online", wake, { signal });
      addEventListener("partway-retry", wake, { signal });
    });
    done.abort();
  }
}
