// The dial: a native range input dressed as an instrument, from 0 to 1.
//
// Arrow keys turn it by 0.01, with Shift by 0.001, PageUp and PageDown by 0.1.

import { byId, el, svg } from "./dom.js";
import { strengthText } from "./format.js";
import { random } from "./noise.js";

const TURNS = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01 };
const PAGES = { PageUp: 0.1, PageDown: -0.1 };
const GRAIN = 12; // height of the grain strip, CSS pixels
const REST = 400; // milliseconds without a key after which the dial has come to rest

export class Dial {
  /** onInput while it turns, onChange when it is let go, onWord for a named strength; all get it. */
  constructor(onInput, onChange, onWord) {
    this.input = byId("dial");
    this.scale = byId("scale");
    this.onInput = onInput;
    this.onChange = onChange;
    this.onWord = onWord;
    this.input.addEventListener("input", () => this.turn(Number(this.input.value)));
    this.input.addEventListener("change", () => this.rest(0));
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.engrave();
    new ResizeObserver(() => this.grain()).observe(this.scale);
    addEventListener("themechange", () => this.grain());
  }

  get value() {
    return Number(this.input.value);
  }

  set value(strength) {
    this.input.value = String(strength);
    this.scale.style.setProperty("--at", String(this.value));
    this.markWord();
  }

  /** What a screen reader says beside the number. */
  describe(text) {
    this.input.setAttribute("aria-valuetext", text);
  }

  turn(strength) {
    this.value = strength;
    this.onInput(this.value);
  }

  /** Tell where the dial came to rest, unless it is turned again within the time. */
  rest(time) {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.onChange(this.value), time);
  }

  key(event) {
    let by = TURNS[event.key] ?? PAGES[event.key];
    if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.shiftKey && event.key in TURNS) by /= 10;
    event.preventDefault();
    const there = Math.min(1, Math.max(0, Math.round((this.value + by) * 1000) / 1000));
    this.turn(there);
    this.rest(REST);
  }

  /** Ticks at every hundredth, numerals at every tenth. */
  engrave() {
    const ticks = this.scale.querySelector(".ticks");
    for (let i = 0; i <= 100; i += 1) {
      const kind = i % 10 === 0 ? "tenth" : i % 5 === 0 ? "half" : "hundredth";
      const length = { tenth: 16, half: 11, hundredth: 7 }[kind];
      const x = `${i}%`;
      ticks.append(svg("line", { x1: x, x2: x, y1: 0, y2: length, class: kind }));
      if (kind === "tenth") {
        ticks.append(svg("text", { x, y: 32, class: i % 50 ? "" : "main" }, strengthText(i / 100)));
      }
    }
  }

  /** The bands of the dial under the scale: [{name, says, from, to}]. */
  bands(bands) {
    const row = byId("bands");
    row.replaceChildren(
      ...bands.map((band) => {
        const node = el("span", {}, band.name);
        node.style.setProperty("--from", String(band.from));
        node.style.setProperty("--to", String(band.to));
        return node;
      }),
    );
  }

  /** Mark the band that a strength lies in. */
  inBand(name) {
    for (const node of byId("bands").children) {
      node.classList.toggle("here", node.textContent === name);
    }
  }

  /** Strengths that have names on a model, {word: strength}; none where nothing was measured. */
  words(strengths, model) {
    const onDial = (strength) => Math.round(1000 * strength) / 1000;
    const entries = Object.entries(strengths).map(([word, strength]) => [word, onDial(strength)]);
    byId("strength-words").hidden = entries.length === 0;
    byId("strength-words").replaceChildren(
      el("span", { class: "whose" }, `measured on ${model}`),
      ...entries.map(([word, strength]) => {
        const button = el("button", { type: "button", onclick: () => this.onWord(strength) }, word);
        button.title = `${word}: ${strengthText(strength)}`;
        button.dataset.strength = String(strength);
        button.style.setProperty("--at", String(strength));
        return button;
      }),
    );
    this.markWord();
  }

  markWord() {
    for (const button of document.querySelectorAll("#strength-words button")) {
      const here = Math.abs(Number(button.dataset.strength) - this.value) < 6e-4;
      button.setAttribute("aria-pressed", String(here));
    }
  }

  /** From clean to noise, left to right: what the dial adds. */
  grain() {
    const canvas = this.scale.querySelector(".grain");
    const ratio = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.scale.clientWidth * ratio));
    const height = Math.round(GRAIN * ratio);
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const dot = Math.max(1, Math.round(ratio));
    const draw = random(7);
    context.fillStyle = getComputedStyle(this.scale).color;
    for (let x = 0; x < width; x += dot) {
      for (let y = 0; y < height; y += dot) {
        if (draw() < 0.55 * (x / width)) context.fillRect(x, y, dot, dot);
      }
    }
  }
}
