// Where an edit starts, made visible: the source with as much noise as the dial says.
//
//   x = alpha * x0 + sigma * eps      in pixels, -1 … 1; a model adds it to its own coding

const SIDE = 256; // longest side of the drawing
const COUNT = 2 ** 16;

/** Numbers in [0, 1) from a seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let table = null;

/** Gaussian numbers, drawn once (Box-Muller). */
function gaussians() {
  if (table) return table;
  const draw = random(1);
  table = new Float32Array(COUNT + 1); // an odd period: channels and rows do not repeat alike
  for (let i = 0; i < table.length; i += 1) {
    table[i] = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  }
  return table;
}

export class Noised {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.clean = null;
  }

  /** The source, a decoded image element. */
  source(image) {
    const scale = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    this.canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    this.canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    this.context.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
    this.clean = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Draw the source at a noise level. */
  show(alpha, sigma) {
    if (!this.clean) return;
    const eps = gaussians();
    const noisy = new ImageData(this.clean.width, this.clean.height);
    const from = this.clean.data;
    const to = noisy.data;
    for (let i = 0, k = 0; i < from.length; i += 1) {
      if (i % 4 === 3) {
        to[i] = from[i];
        continue;
      }
      const x0 = from[i] / 127.5 - 1;
      to[i] = 127.5 * (alpha * x0 + sigma * eps[k] + 1);
      k = k === COUNT ? 0 : k + 1;
    }
    this.context.putImageData(noisy, 0, 0);
  }
}
