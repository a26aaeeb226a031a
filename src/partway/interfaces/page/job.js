// One job on the server: submitted, listened to, cancelled.

import { events, getBlob, getJson, postForm, remove } from "./api.js";

const FINISHED = new Set(["done", "failed", "cancelled"]);
const AGAIN = 1000; // milliseconds before a broken stream is taken up again

export class Job {
  /**
   * path  "edits" or "sweeps"
   * on    listeners by event name; `done` gets the result with its picture as a blob
   */
  constructor(path, form, on) {
    this.path = path;
    this.form = form;
    this.on = on;
    this.id = null;
    this.cancelled = false;
    this.settled = new Set();
    this.abort = new AbortController();
  }

  /** Until every result is there, failed or cancelled. Throws what kept the job from running. */
  async run() {
    const { id } = await postForm(this.path, this.form);
    this.id = id;
    if (this.cancelled) return void (await this.cancel());
    while (!this.cancelled) {
      if (await this.listen()) return;
      if (await this.catchUp()) return;
      await new Promise((wake) => setTimeout(wake, AGAIN));
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
      for await (const { name, data } of events(`jobs/${this.id}/events`, this.abort.signal)) {
        if (name === "end") ended = true;
        else await this.hear(name, data);
      }
    } catch (error) {
      if (error.name !== "AbortError" && error.code !== "unreachable" && error.status) throw error;
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
    const job = await getJson(`jobs/${this.id}`);
    for (const result of job.results) {
      if (result.status === "done") await this.hear("done", result);
      if (result.status === "failed") {
        await this.hear("failed", { index: result.index, ...result.error });
      }
    }
    return FINISHED.has(job.status);
  }
}
