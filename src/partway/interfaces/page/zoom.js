// Zoom and pan of the picture: wheel and pinch, buttons, keys, double click.
//
// The sheet holds the layers of the picture. It is laid out larger than the frame and never
// transformed, so that what lies on it, the brush above all, measures real pixels.

import { byId } from "./dom.js";

const STEP = 1.5; // of the keys and buttons
const NOTCH = 0.0016; // of a wheel, in log zoom for each pixel it would scroll
const LINE = 33; // pixels that browsers scroll for a line
const CLOSEST = 16; // CSS pixels for one of the picture
const LEAST_MOST = 8; // times, that any picture can be enlarged
const SHARP = 6; // CSS pixels from which those of the picture have edges
const PACE = 0.1; // of the frame, by an arrow key
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Zoom {
  /**
   * on  drags() tells whether a plain drag moves the picture, fixed() whether it must stay whole,
   *     wheels() whether a plain wheel zooms; moved(view) hears of every change
   */
  constructor(on) {
    this.on = on;
    this.frame = byId("frame");
    this.group = byId("zoom");
    this.view = { zoom: 1, x: 0, y: 0 }; // x, y: where the sheet begins, in widths and heights of the frame
    this.held = null; // the pointer that moves the picture
    this.touches = new Map(); // fingers on the frame
    this.pinch = null;
    this.divided = null; // where the divider was before the first finger
    this.keys = {
      "+": () => this.by(STEP),
      "=": () => this.by(STEP),
      "-": () => this.by(1 / STEP),
      z: () => this.fit(),
    };
    const acts = { "zoom-in": this.keys["+"], "zoom-out": this.keys["-"], "zoom-fit": this.keys.z };
    for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
    this.listen();
    new ResizeObserver(() => this.show()).observe(this.frame);
  }

  get zoomed() {
    return this.view.zoom > 1;
  }

  /** CSS pixels for one pixel of the picture while all of it shows. */
  get whole() {
    return this.frame.clientWidth / (Number(this.frame.style.getPropertyValue("--w")) || 1);
  }

  get most() {
    return Math.max(LEAST_MOST, CLOSEST / this.whole);
  }

  /** All of the picture. */
  fit() {
    this.set({ zoom: 1, x: 0, y: 0 });
  }

  /** So many times as large, around a place of the frame. */
  by(factor, place = { x: 0.5, y: 0.5 }) {
    this.to(this.view.zoom * factor, place);
  }

  /** This large; what is at a place of the frame stays there, or comes to `there`. */
  to(wanted, place, there = place) {
    if (this.on.fixed()) return;
    const zoom = Math.min(this.most, Math.max(1, wanted));
    const scale = zoom / this.view.zoom;
    this.set({
      zoom,
      x: there.x - (place.x - this.view.x) * scale,
      y: there.y - (place.y - this.view.y) * scale,
    });
  }

  pan(across, down) {
    this.set({ ...this.view, x: this.view.x + across, y: this.view.y + down });
  }

  /** Bring a place of the picture, 0 … 1, into the frame. */
  reveal(u, v) {
    const shift = (at) => Math.min(0, 1 - PACE - at) + Math.max(0, PACE - at);
    const { zoom, x, y } = this.view;
    if (this.zoomed) this.pan(shift(x + u * zoom), shift(y + v * zoom));
  }

  set({ zoom, x, y }) {
    const within = (start) => Math.min(0, Math.max(1 - zoom, start));
    this.view = { zoom, x: within(x), y: within(y) };
    this.show();
    this.on.moved(this.view);
  }

  show() {
    const { zoom, x, y } = this.view;
    for (const [name, value] of Object.entries({ "--zoom": zoom, "--pan-x": x, "--pan-y": y })) {
      this.frame.style.setProperty(name, String(value));
    }
    const scale = zoom * this.whole;
    this.frame.toggleAttribute("data-zoomed", this.zoomed);
    this.frame.toggleAttribute("data-pixels", this.zoomed && scale >= SHARP);
    this.group.toggleAttribute("data-zoomed", this.zoomed);
    byId("zoom-fit").textContent = `${Math.round(100 * scale)} %`;
    byId("zoom-in").disabled = zoom >= this.most;
    byId("zoom-out").disabled = byId("zoom-fit").disabled = !this.zoomed;
  }

  listen() {
    const { frame } = this;
    const first = { capture: true }; // before the brush and the divider
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.down(event), first);
    frame.addEventListener("pointermove", (event) => this.move(event), first);
    for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, (event) => this.up(event), first);
    frame.addEventListener("dblclick", (event) => this.twice(event));
    // Two fingers are ours, also where one scrolls the page.
    const two = (event) => event.touches.length > 1 && event.cancelable && event.preventDefault();
    frame.addEventListener("touchstart", two, { passive: false });
    frame.addEventListener("touchmove", two, { passive: false });
    this.group.addEventListener("keydown", (event) => this.key(event));
  }

  /** Where an event is, in widths and heights of the frame. */
  place({ clientX, clientY }) {
    const box = this.frame.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  /** A whole picture lets the page scroll, unless a key or a pinch says otherwise. */
  wheel(event) {
    const asked = event.ctrlKey || event.metaKey || event.altKey;
    if (this.on.fixed() || !(asked || this.zoomed || this.on.wheels())) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
    // A pinch on a touchpad comes as small steps with Ctrl.
    const pace = event.ctrlKey && Math.abs(pixels) < LINE ? 6 * NOTCH : NOTCH;
    this.by(Math.exp(-pixels * pace), this.place(event));
  }

  down(event) {
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, this.place(event));
      if (this.touches.size === 1) this.divided = byId("split").value;
      if (this.touches.size === 2) return this.beginPinch(); // the brush hears of it, and gives up
      if (this.pinch) return event.stopPropagation();
    }
    const asked = event.button === 1 || (event.button === 0 && (event.shiftKey || this.on.drags()));
    if (!this.zoomed || !asked || this.held) return;
    event.preventDefault();
    event.stopPropagation();
    this.frame.setPointerCapture(event.pointerId);
    this.held = { id: event.pointerId, at: this.place(event) };
    this.frame.toggleAttribute("data-held", true);
  }

  move(event) {
    if (this.touches.has(event.pointerId)) this.touches.set(event.pointerId, this.place(event));
    if (this.pinch) {
      event.stopPropagation();
      return this.goOnPinching();
    }
    if (event.pointerId !== this.held?.id) return;
    event.stopPropagation();
    const at = this.place(event);
    this.pan(at.x - this.held.at.x, at.y - this.held.at.y);
    this.held.at = at;
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (event.pointerId === this.held?.id) this.release();
    if (this.pinch && this.touches.size === 0) {
      this.pinch = null;
      byId("split").disabled = false;
    }
  }

  release() {
    this.held = null;
    this.frame.toggleAttribute("data-held", false);
  }

  beginPinch() {
    this.release();
    this.pinch = fingers(this.touches);
    const split = byId("split");
    split.disabled = true; // the first finger lets the divider go, and has not meant it
    split.value = this.divided;
    split.dispatchEvent(new Event("input"));
  }

  goOnPinching() {
    if (this.touches.size < 2) return; // until both fingers are lifted
    const now = fingers(this.touches);
    this.to((this.view.zoom * now.apart) / this.pinch.apart, this.pinch.middle, now.middle);
    this.pinch = now;
  }

  /** Closer where it is whole: pixel for pixel, or twice as large; whole again where it is not. */
  twice(event) {
    if (this.on.wheels()) return; // a brush has drawn twice
    if (this.zoomed) this.fit();
    else this.to(Math.max(2, 1 / this.whole), this.place(event));
  }

  key(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || !this.zoomed) return;
    event.preventDefault();
    this.pan(PACE * arrow[0], PACE * arrow[1]);
  }
}

/** How far apart two fingers are, and the middle between them. */
function fingers(touches) {
  const [a, b] = [...touches.values()];
  return {
    apart: Math.max(0.01, Math.hypot(a.x - b.x, a.y - b.y)),
    middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
  };
}
