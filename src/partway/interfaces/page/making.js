// Making pictures: one where the dial stands first, then the filmstrip.

import { byId } from "./dom.js";
import { secondsText } from "./format.js";
import { clearError, fail, tellLost } from "./notices.js";
import { Work } from "./work.js";

const QUICK = 10; // seconds; edits that take less run when the dial is let go

export class Making {
  /** onMade is called whenever something ran to its end, or was stopped. */
  constructor(state, view, { stage, strip, reading }, onMade) {
    this.state = state;
    this.view = view;
    this.stage = stage;
    this.strip = strip;
    this.reading = reading;
    this.onMade = onMade;
    this.work = new Work({
      preview: (strength, url) => this.preview(strength, url),
      step: (strength, share) => strip.progress(strength, share),
      done: (result) => this.finished(result),
      failed: (strength, message) => this.failed(strength, message),
      progress: (share) => {
        reading.progress(share);
        byId("cancel").hidden = share === null;
      },
      status: (text) => reading.status(text),
      lost: (lost) => {
        tellLost(lost);
        reading.status(lost ? "connection lost, trying again" : "editing");
      },
    });
  }

  /** Make the picture at the dial, then the filmstrip. */
  async edit() {
    const { state } = this;
    if (!state.picture) return;
    clearError();
    if (state.settings.way === "references" && !state.settings.style && !state.reference) {
      return void fail(new Error("pick a style picture first, or follow words"));
    }
    this.drop();
    this.view.invite(false);
    state.made = state.identity;
    const { sweep } = state.choices;
    this.strip.begin(sweep, state.picture.url);
    this.strip.select(state.strength);
    const rest = sweep.filter((strength) => strength !== state.strength);
    await this.running(
      () => this.work.run(state.wish, state.strength, rest),
      () => this.edit(),
    );
  }

  /** The dial was let go: make that picture too, where one press of Edit has said what to make. */
  async settled(strength) {
    const { state } = this;
    if (!state.current || state.results.has(strength) || this.work.pending.has(strength)) return;
    const slow = ({ mode, seconds }) => mode === "exact" && seconds > QUICK;
    if ([...state.results.values()].some(slow)) return this.view.invite(true);
    clearError();
    await this.running(
      () => this.work.edit(state.wish, strength),
      () => this.settled(strength),
    );
  }

  /** again  makes what the server has lost once more */
  async running(job, again) {
    const began = performance.now();
    const before = this.state.results.size;
    this.reading.status("starting");
    try {
      const whole = await job();
      const made = this.state.results.size - before;
      const took = secondsText((performance.now() - began) / 1000);
      const done = made === 1 ? `done in ${took}` : `${made} pictures in ${took}`;
      if (!this.work.busy) this.reading.status(whole ? done : "cancelled");
    } catch (error) {
      this.reading.status("");
      const names = { gone: "Run it again", unreachable: "Try again" };
      const name = names[error.code];
      fail(error, name ? { name, act: again } : null);
    }
    if (!this.work.busy) this.view.show();
    this.onMade();
  }

  preview(strength, url) {
    this.strip.preview(strength, url);
    if (strength === this.state.strength) this.stage.result(url, "Preview");
  }

  finished(result) {
    result.url = URL.createObjectURL(result.blob);
    this.state.results.set(result.strength, result);
    this.strip.show(result.strength, result.url, result.kept);
    if (result.strength === this.state.strength) {
      this.view.show();
      this.view.describe();
    }
  }

  failed(strength, message) {
    this.strip.fail(strength, message);
    if (strength === this.state.strength) fail(new Error(message));
  }

  /** Stop what runs; what is done stays. */
  cancel() {
    if (!this.work.busy) return;
    this.work.cancel();
    this.reading.status("cancelled");
    if (!this.state.results.has(this.state.strength)) this.stage.start();
    this.view.show();
  }

  /** Stop what runs and forget what is done. */
  drop() {
    this.work.cancel();
    this.state.clearResults();
    this.state.made = null;
    this.view.offer(); // a result that is gone can be neither downloaded nor edited
  }
}
