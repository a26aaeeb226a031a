// The painted plane over the picture: hatched, so that it shows on every colour.

import { HALF } from "./plane.js";

const PLAIN = "rgb(84 60 255 / 50%)";
const STRIPE = "rgb(84 60 255 / 88%)";
const PERIOD = 9; // CSS pixels from stripe to stripe

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.sheet = null; // the plane as a canvas of its own: what is painted is opaque
    this.plane = null;
    this.shades = false;
    this.feather = 0;
    this.view = { zoom: 1, x: 0, y: 0 }; // what of the picture the canvas shows
    this.asked = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Show a plane; `shades` as a strength map has them, else as a mask that fades over `feather`. */
  show(plane, shades, feather) {
    const same = plane === this.plane && shades === this.shades;
    Object.assign(this, { plane, shades, feather });
    if (!same) this.change(plane.whole);
    this.draw();
  }

  /** The plane changed within a box. */
  change({ left, top, right, bottom }) {
    const { plane } = this;
    if (!plane || right <= left || bottom <= top) return;
    if (this.sheet?.width !== plane.width || this.sheet?.height !== plane.height) {
      this.sheet = new OffscreenCanvas(plane.width, plane.height);
    }
    const image = new ImageData(right - left, bottom - top);
    let k = 3;
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1, k += 4) {
        const value = plane.values[y * plane.width + x];
        image.data[k] = this.shades ? value : value >= HALF ? 255 : 0;
      }
    }
    this.sheet.getContext("2d").putImageData(image, left, top);
    this.draw();
  }

  /** The part of the picture that is seen, as Zoom has it. */
  look(view) {
    this.view = view;
    this.draw();
  }

  draw() {
    if (this.asked || !this.sheet) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.paint();
    });
  }

  paint() {
    const { canvas, context, sheet, plane } = this;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const { zoom, x, y } = this.view;
    const scale = (width * zoom) / plane.width;
    context.globalCompositeOperation = "copy";
    context.imageSmoothingEnabled = scale < 1;
    context.filter = this.shades || !this.feather ? "none" : `blur(${blurOf(this.feather) * scale}px)`;
    context.drawImage(sheet, x * width, y * height, zoom * width, zoom * height);
    context.filter = "none";
    context.globalCompositeOperation = "source-in";
    context.fillStyle = this.hatch(ratio);
    context.fillRect(0, 0, width, height);
  }

  hatch(ratio) {
    if (this.pattern?.ratio === ratio) return this.pattern.fill;
    const side = Math.round(PERIOD * ratio);
    const tile = new OffscreenCanvas(side, side);
    const context = tile.getContext("2d");
    context.fillStyle = PLAIN;
    context.fillRect(0, 0, side, side);
    context.strokeStyle = STRIPE;
    context.lineWidth = 1.3 * ratio;
    for (const shift of [-side, 0, side]) {
      context.beginPath();
      context.moveTo(shift, side);
      context.lineTo(shift + side, 0);
      context.stroke();
    }
    this.pattern = { ratio, fill: this.context.createPattern(tile, "repeat") };
    return this.pattern.fill;
  }
}

/** Standard deviation of the engine's feather, three box blurs, in pixels of the source. */
function blurOf(feather) {
  const side = 2 * Math.round(feather / 3) + 1;
  return Math.sqrt((side ** 2 - 1) / 4);
}
