// The filmstrip: one frame per strength, each above its place on the dial.

import { byId, el } from "./dom.js";
import { keptText, percent, strengthText } from "./format.js";

export class Filmstrip {
  /** onPick gets the strength of a frame that was chosen. */
  constructor(onPick) {
    this.root = byId("strip");
    this.onPick = onPick;
    this.frames = new Map();
    this.root.addEventListener("keydown", (event) => this.key(event));
  }

  /** Frames for these strengths, all showing the source faintly until their pictures come. */
  begin(strengths, sourceUrl) {
    this.frames = new Map(strengths.map((strength) => [strength, this.frame(strength, sourceUrl)]));
    this.root.replaceChildren(...[...this.frames.values()].map((frame) => frame.node));
    this.root.classList.remove("stale");
  }

  frame(strength, sourceUrl) {
    const image = el("img", { alt: "", src: sourceUrl, draggable: "false" });
    const note = el("span", { class: "kept" });
    const node = el(
      "button",
      {
        type: "button",
        role: "radio",
        class: "cell waiting",
        "aria-checked": "false",
        tabindex: "-1",
        "aria-label": `strength ${strengthText(strength)}`,
        onclick: () => this.onPick(strength),
      },
      el("span", { class: "picture" }, image, el("span", { class: "advance" })),
      note,
    );
    node.style.setProperty("--at", String(strength));
    return { node, image, note, strength };
  }

  /** The estimate so far. */
  preview(strength, url) {
    const frame = this.frames.get(strength);
    if (!frame) return;
    frame.image.src = url;
    frame.node.classList.add("coming");
  }

  /** How far a frame is, 0 … 1. */
  progress(strength, share) {
    this.frames.get(strength)?.node.style.setProperty("--share", String(share));
  }

  /** A finished picture. */
  show(strength, url, kept) {
    const frame = this.frames.get(strength);
    if (!frame) return;
    frame.image.src = url;
    frame.node.classList.remove("waiting", "coming", "failed");
    const word = el("span", { class: "word" }, "kept ");
    frame.note.replaceChildren(...(kept ? [word, `${percent(kept.structure)} %`] : []));
    const said = kept ? `, ${keptText(kept)} of the structure` : "";
    frame.node.setAttribute("aria-label", `strength ${strengthText(strength)}${said}`);
  }

  /** A frame that will not come. */
  fail(strength, message) {
    const frame = this.frames.get(strength);
    if (!frame || !frame.node.classList.contains("waiting")) return;
    frame.node.classList.add("failed");
    frame.note.textContent = "–";
    frame.node.setAttribute("aria-label", `strength ${strengthText(strength)}: ${message}`);
  }

  /** Mark the frame of this strength, if there is one. */
  select(strength) {
    let found = false;
    for (const frame of this.frames.values()) {
      const here = Math.abs(frame.strength - strength) < 5e-4;
      frame.node.setAttribute("aria-checked", String(here));
      frame.node.tabIndex = here ? 0 : -1;
      found ||= here;
    }
    const first = this.frames.values().next().value;
    if (!found && first) first.node.tabIndex = 0;
  }

  /** Whether the frames belong to settings that have changed since. */
  stale(are) {
    this.root.classList.toggle("stale", are);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const frames = [...this.frames.values()];
    const here = frames.findIndex((frame) => frame.node === document.activeElement);
    if (!step || here < 0) return;
    event.preventDefault();
    const next = frames[(here + step + frames.length) % frames.length];
    next.node.focus();
    this.onPick(next.strength);
  }
}
