// How far the picture is extended beyond its edges: handles around it, numbers beside it.
//
//   {left, top, right, bottom} in pixels of the source; null where nothing is added

import { byId, el } from "./dom.js";

const SIDES = ["left", "top", "right", "bottom"];
const FAR = 2; // times the source's side that one margin may be
const STEP = 8; // pixels by an arrow key, with Shift 1
const RATIOS = ["1:1", "4:3", "3:2", "16:9", "9:16"];
const OUTWARD = {
  left: { ArrowLeft: 1, ArrowRight: -1 },
  right: { ArrowRight: 1, ArrowLeft: -1 },
  top: { ArrowUp: 1, ArrowDown: -1 },
  bottom: { ArrowDown: 1, ArrowUp: -1 },
};
const NONE = Object.freeze({ left: 0, top: 0, right: 0, bottom: 0 });

export class Margins {
  /** onChange gets margins, or null where all of them are 0. */
  constructor(onChange) {
    this.onChange = onChange;
    this.frame = byId("frame");
    this.margins = NONE;
    this.size = { width: 1, height: 1 };
    this.handles = Object.fromEntries(SIDES.map((side) => [side, this.handle(side)]));
    this.fields = Object.fromEntries(SIDES.map((side) => [side, this.field(side)]));
    byId("extend").append(...Object.values(this.handles));
    const buttons = [
      ...RATIOS.map((ratio) => [ratio, () => this.toRatio(ratio)]),
      ["+25 %", () => this.grow(0.25)],
      ["None", () => this.set(NONE)],
    ].map(([name, act]) => el("button", { type: "button", class: "plain", onclick: act }, name));
    byId("margin-fields").append(...Object.values(this.fields).map((input) => input.parentElement));
    byId("margin-ratios").append(...buttons);
  }

  handle(side) {
    const across = side === "left" || side === "right";
    const node = el("div", {
      class: `handle ${side}`,
      role: "slider",
      tabindex: "0",
      "aria-label": `Added on the ${side}`,
      "aria-orientation": across ? "horizontal" : "vertical",
      "aria-valuemin": "0",
      onkeydown: (event) => this.key(side, event),
      onpointerdown: (event) => this.grab(side, event),
      onpointermove: (event) => this.drag(side, event),
      onpointerup: () => (this.held = null),
      onpointercancel: () => (this.held = null),
    });
    return node;
  }

  field(side) {
    const input = el("input", { type: "text", inputmode: "numeric", id: `margin-${side}`, size: 5 });
    input.addEventListener("change", () => {
      const text = input.value.trim();
      const valid = /^\d{1,5}$/.test(text);
      input.setAttribute("aria-invalid", String(!valid));
      if (valid) this.set({ ...this.margins, [side]: Number(text) });
    });
    el("label", { for: `margin-${side}` }, side, input);
    return input;
  }

  /** Margins around a source of this size; `open` where they can be changed. */
  show(margins, size, open) {
    this.margins = margins ?? NONE;
    this.size = size;
    byId("extend").hidden = !open;
    const { left, top, right, bottom } = this.margins;
    const whole = this.whole;
    const variables = {
      "--w": whole.width,
      "--h": whole.height,
      "--in-left": left / whole.width,
      "--in-top": top / whole.height,
      "--in-width": size.width / whole.width,
      "--in-height": size.height / whole.height,
    };
    for (const [name, value] of Object.entries(variables)) this.frame.style.setProperty(name, String(value));
    this.frame.toggleAttribute("data-extended", left + top + right + bottom > 0);
    for (const side of SIDES) {
      const pixels = this.margins[side];
      this.handles[side].setAttribute("aria-valuenow", String(pixels));
      this.handles[side].setAttribute("aria-valuemax", String(this.most(side)));
      this.handles[side].setAttribute("aria-valuetext", `${pixels} pixels`);
      this.fields[side].value = String(pixels);
      this.fields[side].setAttribute("aria-invalid", "false");
    }
  }

  /** Size of the result. */
  get whole() {
    const { left, top, right, bottom } = this.margins;
    return { width: left + this.size.width + right, height: top + this.size.height + bottom };
  }

  most(side) {
    return FAR * (side === "left" || side === "right" ? this.size.width : this.size.height);
  }

  set(margins) {
    const within = SIDES.map((side) => [side, Math.min(this.most(side), Math.max(0, Math.round(margins[side])))]);
    const nothing = within.every(([, pixels]) => pixels === 0);
    this.onChange(nothing ? null : Object.fromEntries(within));
  }

  /** One side grows until the picture has the ratio, the source in the middle. */
  toRatio(ratio) {
    const [across, down] = ratio.split(":").map(Number);
    const { width, height } = this.size;
    const more = { width: (height * across) / down - width, height: (width * down) / across - height };
    const wide = Math.max(0, Math.round(more.width));
    const high = Math.max(0, Math.round(more.height));
    const [left, top] = [Math.floor(wide / 2), Math.floor(high / 2)];
    this.set({ left, right: wide - left, top, bottom: high - top });
  }

  /** A share of each side more, all around. */
  grow(share) {
    const [across, down] = [share * this.size.width, share * this.size.height];
    const { left, top, right, bottom } = this.margins;
    this.set({ left: left + across, right: right + across, top: top + down, bottom: bottom + down });
  }

  key(side, event) {
    const by = OUTWARD[side][event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.set({ ...this.margins, [side]: this.margins[side] + by * (event.shiftKey ? 1 : STEP) });
  }

  grab(side, event) {
    event.preventDefault();
    const handle = this.handles[side];
    handle.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    const scale = this.frame.clientWidth / this.whole.width;
    this.held = { side, scale, x: event.clientX, y: event.clientY, from: this.margins[side] };
  }

  /** The picture makes room as the handle goes: what counts is the way of the hand. */
  drag(side, event) {
    if (this.held?.side !== side) return;
    const { scale, x, y, from } = this.held;
    const ways = { left: x - event.clientX, right: event.clientX - x, top: y - event.clientY, bottom: event.clientY - y };
    this.set({ ...this.margins, [side]: from + ways[side] / scale });
  }
}
