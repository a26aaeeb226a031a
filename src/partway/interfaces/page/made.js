// What a picture's file says of how it was made, as settings of an edit.
//
// It is somebody else's text: every value is checked, and nothing is taken over unasked.

import { checked } from "./settings.js";

// Inputs that the file has the hashes of only.
const GONE = {
  mask: "the mask, which is not in the file: paint it, or open it under Mask",
  strength_map: "the strength map, which is not in the file: paint it, or open it under Map",
  references: "the style picture, which is not in the file: pick it again",
  loras: "LoRA, which this page does not load",
};
// What this page has no control for, and the value that asks for nothing.
const ABSENT = {
  alpha_mask: ["the alpha mask", false],
  mask_grow: ["how far the mask grows", 0],
  mask_invert: ["the inverted mask", false],
  padding: ["the padding", 32],
  scale: ["the enlargement", null],
  recolor: ["the palette of the style", false],
  guidance_interval: ["the guidance interval", [0, 1]],
  true_cfg_scale: ["the true CFG scale", 1],
  working_multiple: ["the working size", 1],
  dialect: ["the other program's rule", null],
  gain: ["a calibration of its own", null],
  runtime: ["the runtime", "auto"],
};

/**
 * {settings, strength, lost}; strength is null where it does not mean the same, `lost` says in
 * phrases what else was part of it. Null: nothing is known.
 */
export function settingsIn(made, isKnown) {
  if (made?.partway) return fromRecord(made.partway, isKnown);
  if (!made?.settings) return null;
  const { prompt, negative_prompt, seed } = made.settings;
  const settings = checked({ prompt, negative_prompt, seed: wholeNumber(seed) });
  return { settings, strength: null, lost: [] };
}

/** Our own record. A style picture of one's own is not in the file, a model may not be here. */
function fromRecord({ request, model, files }, isKnown) {
  const style = files?.references?.find((each) => each.style)?.style ?? null;
  const way = style === null ? "prompt" : "references";
  const named = style === null && isKnown(model?.name) ? model.name : null;
  const extend = marginsIn(request.extend);
  const area = extend ? "extend" : "mask";
  const { strength, dialect } = request;
  return {
    settings: checked({ ...request, way, style, model: named, extend, area }),
    strength: strength >= 0 && strength <= 1 && !dialect ? strength : null,
    lost: [...gone(files ?? {}), ...absent(request)],
  };
}

/** [left, top, right, bottom] as the page has them; null where nothing is added. */
function marginsIn(extend) {
  if (!Array.isArray(extend) || !extend.some((pixels) => pixels > 0)) return null;
  const [left, top, right, bottom] = extend;
  return { left, top, right, bottom };
}

function gone(files) {
  const found = Object.keys(GONE).filter((name) => files[name]?.some((each) => !each.style));
  return found.map((name) => GONE[name]);
}

function absent(request) {
  const differs = ([name, [, idle]]) => name in request && JSON.stringify(request[name]) !== JSON.stringify(idle);
  const found = Object.entries(ABSENT).filter(differs).map(([, [phrase]]) => phrase);
  return found.length ? [`${found.join(", ")}, for which this page has no control`] : [];
}

function wholeNumber(text) {
  return /^[0-9]{1,10}$/.test(text ?? "") ? Number(text) : null;
}
