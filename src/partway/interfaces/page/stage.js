// The picture in the middle: source, result, or both with a divider between them.

import { byId } from "./dom.js";
import { Noised } from "./noise.js";

export class Stage {
  constructor() {
    this.frame = byId("frame");
    this.before = byId("before");
    this.after = byId("after");
    this.split = byId("split");
    this.views = [...document.querySelectorAll("input[name=view]")];
    this.noised = new Noised(byId("noised"));
    this.split.addEventListener("input", () => this.divide());
    for (const view of this.views) view.addEventListener("change", () => this.arrange());
    this.divide();
    this.arrange();
  }

  get view() {
    return this.views.find((view) => view.checked).value;
  }

  set view(name) {
    for (const view of this.views) view.checked = view.value === name;
    this.arrange();
  }

  /** Between result and source and back, for a key. */
  flip() {
    this.view = this.view === "source" ? "result" : "source";
  }

  /** The source alone, to be painted on; then back to what was viewed. */
  paint(on) {
    this.painting = on;
    this.arrange();
  }

  /** A new source: its picture, and nothing else yet. */
  async source(picture) {
    this.before.src = picture.url;
    this.before.alt = `Source: ${picture.name}`;
    this.nothing();
    await this.before.decode().catch(() => null);
    if (this.before.src === picture.url) this.noised.source(this.before); // else another has come
  }

  /** A result, or an estimate on the way to it. */
  result(url, alt) {
    this.after.src = url;
    this.after.alt = alt;
    this.frame.dataset.shows = "result";
    this.arrange();
  }

  /** Where the edit would start; drawn once `level` says how noisy that is. */
  start() {
    this.frame.dataset.shows = "start";
    this.arrange();
  }

  /** The noise level of the start. */
  level(alpha, sigma) {
    if (this.frame.dataset.shows === "start") this.noised.show(alpha, sigma);
  }

  /** No result: the source alone. */
  nothing() {
    this.after.removeAttribute("src");
    this.after.alt = "";
    this.frame.dataset.shows = "nothing";
    this.arrange();
  }

  divide() {
    const { value } = this.split;
    this.frame.style.setProperty("--split", String(value / 100));
    this.split.setAttribute("aria-valuetext", `${value} % source`);
  }

  arrange() {
    const shows = this.frame.dataset.shows;
    const view = shows === "nothing" || this.painting ? "source" : this.view;
    this.frame.dataset.view = view;
    this.noised.canvas.hidden = shows !== "start" || view === "source";
    this.split.hidden = view !== "compare";
  }
}
