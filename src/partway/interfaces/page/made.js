// What a picture's file says of how it was made, as settings of an edit.
//
// It is somebody else's text: every value is checked, and nothing is taken over unasked.

import { checked } from "./settings.js";

/** {settings, strength}; strength is null where it does not mean the same. Null: nothing is known. */
export function settingsIn(made, isKnown) {
  if (made?.partway) return fromRecord(made.partway, isKnown);
  if (!made?.settings) return null;
  const { prompt, negative_prompt, seed } = made.settings;
  return { settings: checked({ prompt, negative_prompt, seed: wholeNumber(seed) }), strength: null };
}

/** Our own record. A style picture of one's own is not in the file, a model may not be here. */
function fromRecord({ request, model, files }, isKnown) {
  const style = files?.references?.find((each) => each.style)?.style ?? null;
  const way = style === null ? "prompt" : "references";
  const named = style === null && isKnown(model?.name) ? model.name : null;
  const { strength } = request;
  return {
    settings: checked({ ...request, way, style, model: named }),
    strength: strength >= 0 && strength <= 1 ? strength : null,
  };
}

function wholeNumber(text) {
  return /^[0-9]{1,10}$/.test(text ?? "") ? Number(text) : null;
}
