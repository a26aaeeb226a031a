// The brush: mouse, pen, finger or keys, drawing on the plane in pixels of the source.

import { byId } from "./dom.js";

const FINE = 6; // CSS pixels below which the ring is no help and a cross shows instead
const ERASES = new Map([[0, false], [2, true], [5, true]]); // buttons: left, right, a pen's other end
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Brush {
  /**
   * tool  gives {size, softness, value, erasing} as it is at the time
   * on    drew(box), ended(), moved(point) by the keys
   */
  constructor(tool, on) {
    this.tool = tool;
    this.on = on;
    this.surface = byId("paint");
    this.ring = byId("ring");
    this.plane = null;
    this.pointer = null; // the one that draws
    this.last = null;
    this.at = null; // where the keys are
    this.seen = null; // where the pointer was last, on the screen
    this.surface.addEventListener("pointerdown", (event) => this.down(event));
    this.surface.addEventListener("pointermove", (event) => this.move(event));
    this.surface.addEventListener("pointerup", (event) => this.up(event));
    this.surface.addEventListener("pointercancel", (event) => this.lost(event));
    this.surface.addEventListener("pointerleave", () => (this.ring.hidden = true));
    this.surface.addEventListener("contextmenu", (event) => event.preventDefault());
    this.surface.addEventListener("keydown", (event) => this.key(event));
    this.surface.addEventListener("blur", () => (this.ring.hidden = true));
  }

  /** Where an event is, in pixels of the source. */
  point({ clientX, clientY }) {
    const box = this.surface.getBoundingClientRect();
    return {
      x: ((clientX - box.left) / box.width) * this.plane.width,
      y: ((clientY - box.top) / box.height) * this.plane.height,
    };
  }

  down(event) {
    if (this.pointer !== null) return this.second();
    if (!ERASES.has(event.button)) return;
    event.preventDefault();
    this.surface.focus({ preventScroll: true });
    this.surface.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.start(ERASES.get(event.button) || this.tool().erasing);
    this.draw(this.point(event), this.pressed(event));
    this.show(event);
  }

  move(event) {
    this.show(event);
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.draw(this.point(each), this.pressed(each));
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.finish();
  }

  /** The stroke ends here: what is painted on goes away. */
  release() {
    if (this.pointer === null) return;
    this.pointer = null;
    this.finish();
  }

  /** A second finger: no stroke was meant. */
  second() {
    this.pointer = null;
    this.plane.abandon();
    this.on.drew(this.plane.whole);
  }

  lost(event) {
    if (event.pointerId === this.pointer) this.second();
  }

  /** Size in pixels: of a pen, as hard as it is pressed. */
  pressed(event) {
    const { size } = this.tool();
    return event.pointerType === "pen" && event.pressure > 0 ? Math.max(1, size * event.pressure) : size;
  }

  start(erases) {
    const { value, softness } = this.tool();
    this.plane.begin(erases ? 0 : value, softness);
    this.last = null;
  }

  draw(point, size) {
    const here = snapped(point, size);
    const from = this.last ?? here;
    this.last = here;
    this.on.drew(this.plane.line(from, here, size / 2));
  }

  finish() {
    this.plane.end();
    this.on.ended();
  }

  /** The ring shows what a press would cover. */
  show(event) {
    const point = event.clientX === undefined ? event : this.point(event);
    this.seen = event.clientX === undefined ? null : { clientX: event.clientX, clientY: event.clientY };
    const scale = this.surface.clientWidth / this.plane.width;
    const side = this.tool().size * scale;
    this.ring.hidden = side < FINE;
    this.surface.classList.toggle("fine", side < FINE);
    this.ring.style.width = this.ring.style.height = `${side}px`;
    this.ring.style.left = `${point.x * scale}px`;
    this.ring.style.top = `${point.y * scale}px`;
  }

  /** The picture has moved below the pointer. */
  look() {
    if (this.seen && !this.surface.hidden && this.surface.matches(":hover")) this.show(this.seen);
    else this.ring.hidden = true;
  }

  /** Arrow keys move the brush, by a quarter of its size or a pixel; Space draws. */
  key(event) {
    const step = STEPS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!step && event.key !== " ")) return;
    event.preventDefault();
    const { width, height } = this.plane;
    const { size } = this.tool();
    this.at ??= { x: width / 2, y: height / 2 };
    if (step) {
      const by = event.shiftKey ? 1 : Math.max(1, Math.round(size / 4));
      this.at.x = Math.min(width - 0.5, Math.max(0.5, this.at.x + by * step[0]));
      this.at.y = Math.min(height - 0.5, Math.max(0.5, this.at.y + by * step[1]));
    } else {
      this.start(this.tool().erasing);
      this.draw(this.at, size);
      this.finish();
    }
    this.show(this.at);
    this.ring.hidden = false;
    this.on.moved(this.at);
  }
}

/** A point from which a hard brush of whole size covers whole pixels: their middle or a corner. */
function snapped({ x, y }, size) {
  const odd = Math.round(size) % 2 === 1;
  return odd ? { x: Math.floor(x) + 0.5, y: Math.floor(y) + 0.5 } : { x: Math.round(x), y: Math.round(y) };
}
