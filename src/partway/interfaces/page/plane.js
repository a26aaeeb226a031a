// What is painted over the source: one value a pixel, 0 … 255, with what can be undone.
//
// A stroke never builds up over itself: its coverage of a pixel is the most that any of its
// segments gives, so a soft stroke has one soft edge however often the hand passes.

const KEPT = 96 * 2 ** 20; // bytes of earlier values
export const HALF = 128; // from which a mask counts as painted

export class Plane {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.values = new Uint8ClampedArray(width * height);
    this.whole = { left: 0, top: 0, right: width, bottom: height };
    this.done = []; // {box, values} of what was there before
    this.undone = [];
    this.stroke = null;
    this.counted = null; // facts, as long as they hold
  }

  /** Begin a stroke towards a value; softness 0 … 1 is the share of the radius that fades. */
  begin(target, softness = 0) {
    const cover = new Uint8Array(this.values.length);
    this.stroke = { target, softness, cover, before: this.values.slice(), box: null };
  }

  /** Go on with the stroke from one point to the next, {x, y} in pixels; returns the box touched. */
  line(from, to, radius) {
    const box = this.clipped({
      left: Math.floor(Math.min(from.x, to.x) - radius),
      top: Math.floor(Math.min(from.y, to.y) - radius),
      right: Math.ceil(Math.max(from.x, to.x) + radius),
      bottom: Math.ceil(Math.max(from.y, to.y) + radius),
    });
    const { target, softness, cover, before } = this.stroke;
    const along = { x: to.x - from.x, y: to.y - from.y };
    const length = along.x ** 2 + along.y ** 2;
    for (let y = box.top; y < box.bottom; y += 1) {
      for (let x = box.left; x < box.right; x += 1) {
        const dx = x + 0.5 - from.x;
        const dy = y + 0.5 - from.y;
        const t = length ? Math.min(1, Math.max(0, (dx * along.x + dy * along.y) / length)) : 0;
        const away = (dx - t * along.x) ** 2 + (dy - t * along.y) ** 2;
        if (away > radius ** 2) continue;
        const covers = softness ? faded(1 - Math.sqrt(away) / radius, softness) : 255;
        const i = y * this.width + x;
        if (covers <= cover[i]) continue;
        cover[i] = covers;
        this.values[i] = before[i] + ((target - before[i]) * covers) / 255;
      }
    }
    this.stroke.box = union(this.stroke.box, box);
    return box;
  }

  /** The stroke is done, and can be undone. */
  end() {
    const { before, box } = this.stroke;
    this.stroke = this.counted = null;
    if (box && box.right > box.left && box.bottom > box.top) this.keep(box, this.cut(before, box));
  }

  /** The stroke was none: back to before it. */
  abandon() {
    this.values.set(this.stroke.before);
    this.stroke = null;
  }

  fill(value) {
    this.replace(() => value);
  }

  invert() {
    this.replace((value) => 255 - value);
  }

  /** Values of a picture: a Uint8ClampedArray of this size. */
  load(values) {
    this.replace((_, i) => values[i]);
  }

  replace(by) {
    const before = this.values.slice();
    this.counted = null;
    for (let i = 0; i < before.length; i += 1) this.values[i] = by(before[i], i);
    if (before.some((value, i) => value !== this.values[i])) this.keep(this.whole, before);
  }

  undo() {
    this.swap(this.done, this.undone);
  }

  redo() {
    this.swap(this.undone, this.done);
  }

  /** How much is painted: share of the pixels that a mask selects, mean of the values, any. */
  get facts() {
    if (this.counted) return this.counted;
    let selected = 0;
    let sum = 0;
    for (const value of this.values) {
      sum += value;
      if (value >= HALF) selected += 1;
    }
    const count = this.values.length;
    this.counted = { selected: selected / count, mean: sum / count / 255, any: sum > 0 };
    return this.counted;
  }

  clipped({ left, top, right, bottom }) {
    const { width, height } = this;
    const within = (value, most) => Math.min(most, Math.max(0, value));
    return {
      left: within(left, width),
      top: within(top, height),
      right: within(right, width),
      bottom: within(bottom, height),
    };
  }

  keep(box, values) {
    this.done.push({ box, values });
    this.undone = [];
    let bytes = this.done.reduce((sum, each) => sum + each.values.length, 0);
    while (bytes > KEPT && this.done.length > 1) bytes -= this.done.shift().values.length;
  }

  swap(from, to) {
    const step = from.pop();
    if (!step) return;
    this.counted = null;
    to.push({ box: step.box, values: this.cut(this.values, step.box) });
    const { left, top, right, bottom } = step.box;
    const wide = right - left;
    for (let y = top; y < bottom; y += 1) {
      const row = step.values.subarray((y - top) * wide, (y - top + 1) * wide);
      this.values.set(row, y * this.width + left);
    }
  }

  cut(values, { left, top, right, bottom }) {
    const wide = right - left;
    const found = new Uint8ClampedArray(wide * (bottom - top));
    for (let y = top; y < bottom; y += 1) {
      const start = y * this.width + left;
      found.set(values.subarray(start, start + wide), (y - top) * wide);
    }
    return found;
  }
}

/** Coverage 0 … 255 at a depth below the edge, 0 at it and 1 in the middle: a smooth step. */
function faded(depth, softness) {
  const t = Math.min(1, depth / softness);
  return 255 * t * t * (3 - 2 * t);
}

function union(a, b) {
  if (!a) return b;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}
