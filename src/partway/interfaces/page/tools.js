// The panel beside the picture while it is painted: the brush's own sliders, and a mask's settings.

import { byId, el, icon, say } from "./dom.js";

const ACTS = {
  undo: ["Undo (Ctrl-Z)", "M8 5L4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11H9"],
  redo: ["Redo (Ctrl-Shift-Z)", "M16 5l4 4-4 4M20 9H10a5.500 5.500 0 0 0 0 11h5"],
  invert: ["Invert (I)", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M15 5.500v13M18 8v8"],
  fill: ["Paint all (F)", "M4 4h16v16H4zM4 12l8-8M4 20L20 4M12 20l8-8"],
  clear: ["Clear (Delete)", "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5"],
};
const SAYS = {
  mask: "Only what you paint is edited; every other pixel stays as it is.",
  map: "Painted in full: edited with the whole strength. A lighter shade: with its share of it.",
  extend: "Drag the edges outward: what is added is painted, every pixel of the picture stays.",
};
const AUTOMATIC = { mask: 1 / 64, extend: 1 / 16 }; // of the long side, where no feather is asked
const LARGEST = 1 / 2; // brush, of the long side
const TOP = 1000; // of a slider with a curve

export class Tools {
  /**
   * act      undo, redo, invert, fill, clear, done, open(file)
   * onChange gets settings of the mask as they change, and {} where the brush does
   */
  constructor(act, onChange) {
    this.act = act;
    this.onChange = onChange;
    this.longSide = 1;
    this.brush = { size: 1, softness: 0.5, value: 255, erasing: false };
    this.buttons = Object.entries(ACTS).map(([name, [label, path]]) => {
      const [spoken] = label.split(" (");
      const attributes = { type: "button", class: "icon-button", title: label, "aria-label": spoken };
      return [name, el("button", { ...attributes, onclick: act[name] }, icon(path))];
    });
    byId("acts").append(...this.buttons.map(([, button]) => button));
    this.sliders();
    for (const radio of radios("tool")) {
      radio.addEventListener("change", () => (this.brush.erasing = radio.value === "eraser"));
    }
    for (const radio of radios("area")) {
      radio.addEventListener("change", () => onChange({ area: radio.value }));
    }
    byId("mask-fill").addEventListener("change", ({ target }) => onChange({ fill: target.value }));
    byId("only_masked").addEventListener("change", ({ target }) => onChange({ only_masked: target.checked }));
    byId("paint-done").addEventListener("click", act.done);
    byId("area-file").addEventListener("change", ({ target }) => {
      if (target.files.length) act.open(target.files[0]);
      target.value = "";
    });
  }

  sliders() {
    const share = { min: 0, max: 100, step: 1 };
    const pixels = (value) => `${value} px`;
    const percent = (value) => `${value} %`;
    this.size = slider("brush-size", "Size", { min: 0, max: TOP, step: 1 }, (at) => pixels(this.sizeAt(at)));
    this.softness = slider("brush-softness", "Soft edge", share, percent);
    this.shade = slider("brush-shade", "Shade", { ...share, min: 1 }, percent);
    this.feather = slider("mask-feather", "Edge fades over", share, pixels);
    byId("brush-sliders").append(this.size.row, this.softness.row, this.shade.row);
    byId("mask-settings").prepend(this.feather.row);
    this.size.on((at) => (this.brush.size = this.sizeAt(at)));
    this.softness.on((at) => (this.brush.softness = at / 100));
    this.shade.on((at) => (this.brush.value = Math.round(2.55 * at)));
    this.feather.on((mask_feather) => this.onChange({ mask_feather }));
  }

  /** A new source: brush and feather go by its size. */
  source({ width, height }) {
    this.longSide = Math.max(width, height);
    this.feather.input.max = String(Math.min(1024, Math.ceil(this.longSide / 8)));
    this.setSize(Math.round(this.longSide / 12));
    this.softness.set(100 * this.brush.softness);
    this.shade.set(Math.round(this.brush.value / 2.55));
  }

  get largest() {
    return Math.max(2, Math.round(LARGEST * this.longSide));
  }

  /** Slider to pixels and back: small sizes get as much of the way as large ones. */
  sizeAt(at) {
    return Math.round(this.largest ** (at / TOP));
  }

  setSize(size) {
    this.brush.size = Math.min(this.largest, Math.max(1, size));
    this.size.set((TOP * Math.log(this.brush.size)) / Math.log(this.largest), `${this.brush.size} px`);
  }

  /** A tenth larger or smaller, a pixel at least. */
  resize(way) {
    const { size } = this.brush;
    this.setSize(size + way * Math.max(1, Math.round(size / 10)));
  }

  erase(erasing) {
    this.brush.erasing = erasing;
    for (const radio of radios("tool")) radio.checked = (radio.value === "eraser") === erasing;
  }

  setShade(percent) {
    this.shade.set(percent);
    this.brush.value = Math.round(2.55 * percent);
  }

  /** What acts: a mask is hard and of one value, its edge is the feather's. */
  get tool() {
    return this.mask ? { ...this.brush, softness: 0, value: 255 } : this.brush;
  }

  /** The feather in pixels: asked, or the engine's own. */
  featherOf(settings) {
    return settings.mask_feather ?? this.longSide * (AUTOMATIC[settings.area] ?? 0);
  }

  show(settings) {
    const kind = settings.area;
    this.mask = kind === "mask";
    for (const radio of radios("area")) radio.checked = radio.value === kind;
    say(byId("area-says"), SAYS[kind]);
    byId("mask-settings").hidden = kind === "map";
    this.softness.row.hidden = this.shade.row.hidden = this.mask;
    const extend = kind === "extend";
    for (const id of ["tool-rows", "brush-sliders", "painted", "area-save"]) byId(id).hidden = extend;
    byId("area-file").parentElement.hidden = extend;
    byId("margin-tools").hidden = !extend;
    byId("mask-fill").querySelector("[value=blur]").disabled = extend;
    this.feather.set(Math.round(this.featherOf(settings)));
    byId("mask-fill").value = extend && settings.fill === "blur" ? "source" : (settings.fill ?? "source");
    byId("only_masked").checked = settings.only_masked;
  }

  /** What can be undone, and how much is painted in words. */
  state(plane, text) {
    const idle = { undo: !plane.done.length, redo: !plane.undone.length };
    for (const [name, button] of this.buttons) button.disabled = idle[name] ?? false;
    byId("painted").textContent = text;
  }
}

function radios(name) {
  return [...document.querySelectorAll(`input[name=${name}]`)];
}

/** A labelled slider whose number is shown and said as `text` has it. */
function slider(id, label, range, text) {
  const input = el("input", { type: "range", id, ...range });
  const output = el("output", { for: id });
  const tell = (words) => {
    output.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return {
    input,
    row: el("div", { class: "slider" }, el("label", { for: id }, label), output, input),
    on: (act) =>
      input.addEventListener("input", () => {
        tell(text(Number(input.value)));
        act(Number(input.value));
      }),
    set: (value, words = text(value)) => {
      input.value = String(value);
      tell(words);
    },
  };
}
