// The seed of the noise: locked, or another one with every edit.

import { byId, icon } from "./dom.js";
import { MAX_SEED } from "./settings.js";

const DICE = "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8.5 8.500h.01M15.500 8.500h.01M12 12h.01M8.500 15.500h.01M15.500 15.500h.01";
const LOCKED = "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z";
const OPEN = "M7 11V8a5 5 0 0 1 9.500-2M6 11h12v9H6z";

export class Seed {
  /** onChange gets a seed that was typed or thrown; `thrown` says which. */
  constructor(onChange) {
    this.input = byId("seed");
    this.lock = byId("lock");
    this.onChange = onChange;
    byId("dice").append(icon(DICE));
    byId("dice").addEventListener("click", () => this.throw());
    this.input.addEventListener("change", () => this.typed());
    this.lock.addEventListener("click", () => this.setLocked(!this.locked));
    this.setLocked(true);
  }

  get locked() {
    return this.lock.getAttribute("aria-pressed") === "true";
  }

  setLocked(locked) {
    this.lock.setAttribute("aria-pressed", String(locked));
    this.lock.title = locked ? "The seed stays" : "Another seed with every edit";
    this.lock.replaceChildren(icon(locked ? LOCKED : OPEN));
  }

  show(seed) {
    this.input.value = String(seed);
    this.input.setAttribute("aria-invalid", "false");
  }

  /** Another seed, shown and returned; nobody is told. */
  next() {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    this.show(seed);
    return seed;
  }

  throw() {
    this.onChange(this.next(), true);
  }

  typed() {
    const text = this.input.value.trim();
    const valid = /^\d+$/.test(text) && Number(text) <= MAX_SEED;
    this.input.setAttribute("aria-invalid", String(!valid));
    if (valid) this.onChange(Number(text), false);
  }
}
