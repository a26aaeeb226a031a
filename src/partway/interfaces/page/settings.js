// Everything that decides the pixels beside source and strength; what is left out, the model fills.

import { byId, el } from "./dom.js";

export const DEFAULTS = Object.freeze({
  way: "prompt", // what the result follows: "prompt", or "references", a style picture
  prompt: "",
  negative_prompt: "",
  seed: 1,
  model: null,
  style: null,
  keep_colors: false,
  area: "mask", // how what is painted is read, "mask" or "map"; or "extend", beyond the edges
  extend: null, // pixels: {left, top, right, bottom}
  mask_feather: null,
  fill: null,
  only_masked: false,
  steps: null,
  full_steps: null,
  guidance_scale: null,
  sampler: null,
  spacing: null,
  dial: null,
});

export const MAX_SEED = 2 ** 32 - 1;

const MEASURED = "perceptual"; // the dial that only a calibrated model has
const BY_PROMPT = ["prompt", "negative_prompt", "guidance_scale"];
const BY_REFERENCES = ["style", "keep_colors"];
const BY_MASK = ["mask_feather", "fill", "only_masked"];

/** What confines the edit: "mask", "map", "extend"; null where it is of the whole picture. */
export function confines(settings, painted) {
  const kind = settings.area;
  return (kind === "extend" ? settings.extend : painted) ? kind : null;
}

/** The fields that act: what belongs to the other way, and what says nothing, is left out. */
export function fieldsOf(settings, painted) {
  const { way, area, extend, ...fields } = settings;
  const kind = confines(settings, painted);
  for (const idle of way === "prompt" ? BY_REFERENCES : BY_PROMPT) delete fields[idle];
  if (kind === null || kind === "map") for (const idle of BY_MASK) delete fields[idle];
  if (kind === "extend") {
    if (fields.fill === "blur") delete fields.fill; // that is what it does anyway
    for (const [side, pixels] of Object.entries(extend)) fields[`extend_${side}`] = pixels || null;
  }
  const says = ([, value]) => value !== null && value !== "" && value !== false;
  return Object.fromEntries(Object.entries(fields).filter(says));
}

/** A form for the server. */
export function toForm({ picture, reference, area, settings }, more) {
  const form = new FormData();
  form.append("source", picture.blob, picture.name);
  if (reference && settings.way === "references") {
    form.append("references", reference, reference.name || "style");
  }
  const kind = confines(settings, area);
  if (kind === "mask" || kind === "map") form.append(kind, area.blob, "painted.png");
  for (const [key, value] of Object.entries({ ...fieldsOf(settings, area), ...more })) {
    form.append(key, String(value));
  }
  return form;
}

/** The same settings, whatever is missing or of another type replaced; for what others wrote. */
export function checked(found) {
  const settings = { ...DEFAULTS };
  if (typeof found !== "object" || found === null) return settings;
  for (const key of Object.keys(DEFAULTS)) {
    const value = found[key];
    const wanted = KINDS[key];
    if (value !== undefined && value !== null && wanted(value)) settings[key] = value;
  }
  return settings;
}

const isText = (value) => typeof value === "string" && value.length <= 20_000;
const isCount = (value) => Number.isInteger(value) && value >= 1 && value <= 1000;
const isMargins = (value) =>
  ["left", "top", "right", "bottom"].every((side) => Number.isInteger(value[side]) && value[side] >= 0);
const KINDS = {
  way: (value) => value === "prompt" || value === "references",
  prompt: isText,
  negative_prompt: isText,
  seed: (value) => Number.isInteger(value) && value >= 0 && value <= MAX_SEED,
  model: isText,
  style: isText,
  keep_colors: (value) => typeof value === "boolean",
  area: (value) => ["mask", "map", "extend"].includes(value),
  extend: isMargins,
  mask_feather: (value) => Number.isFinite(value) && value >= 0,
  fill: (value) => ["source", "blur", "noise"].includes(value),
  only_masked: (value) => typeof value === "boolean",
  steps: isCount,
  full_steps: isCount,
  guidance_scale: (value) => Number.isFinite(value),
  sampler: isText,
  spacing: isText,
  dial: isText,
};

/** The folded form: steps, guidance, sampler, spacing, dial. */
export class Settings {
  /** onChange gets {name: value}; null where the model's own value applies. */
  constructor(onChange) {
    this.root = byId("settings-form");
    this.onChange = onChange;
    this.controls = {};
  }

  /** Build the form from what the server knows: names of samplers, spacings and dials. */
  build({ samplers, spacings, dials, defaults }) {
    this.defaults = defaults;
    this.root.replaceChildren(
      this.number("full_steps", "Full steps", "density of a full run; an edit takes its share"),
      this.number("steps", "Steps", "exactly so many, at any strength"),
      this.number("guidance_scale", "Guidance", "weight of the prompt; 1 is off"),
      this.choice("sampler", "Sampler", samplers),
      this.choice("spacing", "Spacing", spacings),
      this.choice("dial", "Dial", dials),
    );
  }

  number(name, label, about) {
    const input = el("input", { id: `set-${name}`, type: "text", inputmode: "decimal", size: 6 });
    input.addEventListener("change", () => this.typed(name, input));
    this.controls[name] = input;
    return field(name, label, about, input);
  }

  choice(name, label, values) {
    const options = values.map((value) => el("option", { value }, value));
    const input = el("select", { id: `set-${name}` }, ...options);
    input.addEventListener("change", () => this.onChange({ [name]: input.value }));
    this.controls[name] = input;
    return field(name, label, "", input);
  }

  typed(name, input) {
    const text = input.value.trim().replace(",", ".");
    const value = text === "" ? null : Number(text);
    const valid = value === null || KINDS[name](value);
    input.setAttribute("aria-invalid", String(!valid));
    if (!valid) return;
    const change = { [name]: value };
    // Steps and full steps exclude each other.
    if (value !== null && name === "steps") change.full_steps = null;
    if (value !== null && name === "full_steps") change.steps = null;
    this.onChange(change);
  }

  /** Show settings; `model` fills the placeholders with its own numbers. */
  show(settings, model) {
    const own = { full_steps: model?.default_steps, guidance_scale: model?.default_guidance };
    for (const option of this.controls.dial.options) {
      option.disabled = option.value === MEASURED && !model?.calibrated;
    }
    for (const [name, input] of Object.entries(this.controls)) {
      const value = settings[name];
      if (input.tagName === "SELECT") input.value = value ?? this.defaults[name];
      else {
        input.value = value ?? "";
        input.setAttribute("aria-invalid", "false");
        input.placeholder = own[name] === undefined ? "" : String(own[name]);
      }
    }
  }
}

function field(name, label, about, input) {
  if (about) input.setAttribute("aria-describedby", `about-${name}`);
  return el(
    "div",
    { class: "field" },
    el("label", { for: `set-${name}` }, label),
    input,
    ...(about ? [el("span", { class: "small", id: `about-${name}` }, about)] : []),
  );
}
