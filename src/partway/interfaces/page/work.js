// What runs: one picture first, then the rest of the filmstrip in one batched sweep.

import { Job } from "./job.js";
import { toForm } from "./settings.js";

const PREVIEW_EVERY = 4; // evaluations

export class Work {
  /**
   * on  preview(strength, url), step(strength, share), done(result), failed(strength, message),
   *     progress(share or null), status(text), lost(whether the connection is)
   */
  constructor(on) {
    this.on = on;
    this.jobs = new Set();
    this.lost = new Set(); // of the jobs, those that hear nothing
    this.pending = new Map(); // strength → share done
  }

  get busy() {
    return this.jobs.size > 0;
  }

  /** Make `first`, then `rest`; true when all of it is done, false if it was cancelled. */
  async run(wish, first, rest) {
    if (!(await this.edit(wish, first))) return false;
    return rest.length === 0 || this.sweep(wish, rest);
  }

  /** One strength, in exact mode: the bits that the command line makes. */
  edit(wish, strength) {
    const form = this.form(wish, { strength, mode: "exact" });
    return this.start("edits", form, [strength]);
  }

  sweep(wish, strengths) {
    const form = this.form(wish, { strengths: strengths.join(",") });
    return this.start("sweeps", form, strengths);
  }

  /** Stop everything; what is done stays. */
  cancel() {
    for (const job of this.jobs) job.cancel();
    this.jobs.clear();
    this.pending.clear();
    this.on.progress(null);
  }

  form(wish, more) {
    return toForm(wish, { ...more, preview_every: PREVIEW_EVERY });
  }

  async start(path, form, strengths) {
    const job = new Job(path, form, {
      queued: ({ position }) => position && this.on.status(`waiting, ${position} ahead`),
      started: ({ index }) => {
        this.on.status("editing");
        this.advance(strengths[index], 0);
      },
      step: ({ index, done, total }) => this.advance(strengths[index], done / total),
      preview: ({ index, image }) => this.on.preview(strengths[index], image),
      done: (result) => {
        this.advance(strengths[result.index], 1);
        this.on.done({ ...result, strength: strengths[result.index] });
      },
      failed: ({ index, message }) => {
        this.advance(strengths[index], 1);
        this.on.failed(strengths[index], message);
      },
      lost: (lost) => {
        if (lost) this.lost.add(job);
        else this.lost.delete(job);
        this.on.lost(this.lost.size > 0);
      },
    });
    this.jobs.add(job);
    for (const strength of strengths) this.pending.set(strength, 0);
    this.on.progress(this.share);
    try {
      await job.run();
    } finally {
      if (this.jobs.delete(job)) for (const strength of strengths) this.pending.delete(strength);
      if (!this.busy) this.on.progress(null);
    }
    return !job.cancelled;
  }

  advance(strength, share) {
    this.pending.set(strength, share);
    this.on.step(strength, share);
    this.on.progress(this.share);
  }

  get share() {
    const shares = [...this.pending.values()];
    return shares.reduce((sum, share) => sum + share, 0) / Math.max(shares.length, 1);
  }
}
