// The same edit elsewhere: as a command, in Python, over HTTP.

import { byId, el } from "./dom.js";
import { strengthText } from "./format.js";
import { confines, fieldsOf } from "./settings.js";

const OPTIONS = {
  negative_prompt: "--negative-prompt",
  steps: "--steps",
  full_steps: "--full-steps",
  guidance_scale: "--guidance",
  sampler: "--sampler",
  spacing: "--spacing",
  dial: "--dial",
  model: "--model",
  style: "--style",
  mask_feather: "--feather",
  fill: "--fill",
  extend_left: "--left",
  extend_top: "--top",
  extend_right: "--right",
  extend_bottom: "--bottom",
};
const OWN_STYLE = "style.png"; // a style picture of one's own has no path here
const PAINTED = { mask: "mask.png", map: "map.png" }; // nor has what is painted: it can be saved

/** A word for a POSIX shell. */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A file name that no program takes for an option or for anything but a file. */
function path(name) {
  return name.startsWith("-") || name.startsWith("@") ? `./${name}` : name;
}

/** As a command. A prompt that the shell command would read from a file is set apart by a space. */
function asCommand({ name, settings, strength, hasReference, painted }) {
  const { prompt = "", seed, keep_colors, only_masked, ...fields } = fieldsOf(settings, painted);
  const kind = confines(settings, painted);
  const words = ["partway", ...(kind === "extend" ? ["outpaint"] : []), quoted(path(name))];
  if (settings.way === "prompt") words.push(quoted(/^[@-]/.test(prompt) ? ` ${prompt}` : prompt));
  words.push("--strength", strengthText(strength));
  for (const [field, value] of Object.entries(fields)) {
    words.push(OPTIONS[field], quoted(String(value)));
  }
  if (hasReference && settings.way === "references") words.push("--style", OWN_STYLE);
  if (keep_colors) words.push("--keep-colors");
  if (kind in PAINTED) words.push(`--${kind}`, PAINTED[kind]);
  if (only_masked) words.push("--only-masked");
  if (seed !== undefined && seed !== 1) words.push("--seed", String(seed));
  return words.join(" ");
}

/** As a Python program. */
function asPython({ name, settings, strength, hasReference, painted }) {
  const { prompt = "", style, keep_colors, only_masked, ...all } = fieldsOf(settings, painted);
  const kind = confines(settings, painted);
  const fields = Object.fromEntries(Object.entries(all).filter(([field]) => !field.startsWith("extend_")));
  const imports = ["from partway import edit"];
  const named = { strength: strengthText(strength) };
  for (const [field, value] of Object.entries(fields)) named[field] = JSON.stringify(value);
  if (style) {
    imports.push("from partway.styles import style_file");
    named.references = `(style_file(${JSON.stringify(style)}).read_bytes(),)`;
  } else if (hasReference && settings.way === "references") {
    imports.unshift("from pathlib import Path", "");
    named.references = `(Path(${JSON.stringify(OWN_STYLE)}).read_bytes(),)`;
  }
  if (keep_colors) named.keep_colors = "True";
  if (kind in PAINTED) named[kind === "map" ? "strength_map" : "mask"] = JSON.stringify(PAINTED[kind]);
  if (kind === "extend") {
    const { left, top, right, bottom } = settings.extend;
    named.extend = `(${[left, top, right, bottom].join(", ")})`;
  }
  if (only_masked) named.only_masked = "True";
  const positional = [JSON.stringify(name), ...(settings.way === "prompt" ? [JSON.stringify(prompt)] : [])];
  const rest = Object.entries(named).map(([field, value]) => `    ${field}=${value},`);
  return [
    ...imports,
    "",
    "result = edit(",
    `    ${positional.join(", ")},`,
    ...rest,
    ")",
    'result.image.save("result.png")',
  ].join("\n");
}

/** As an HTTP request that waits for the finished job. */
function asCurl({ name, settings, strength, hasReference, painted, base }) {
  const file = (value) => `@"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const parts = [`-F ${quoted(`source=${file(path(name))}`)}`];
  if (hasReference && settings.way === "references") parts.push(`-F ${quoted(`references=${file(OWN_STYLE)}`)}`);
  const kind = confines(settings, painted);
  if (kind in PAINTED) parts.push(`-F ${kind}=@${PAINTED[kind]}`);
  const fields = { ...fieldsOf(settings, painted), strength: strengthText(strength), mode: "exact" };
  for (const [field, value] of Object.entries(fields)) {
    parts.push(`--form-string ${quoted(`${field}=${value}`)}`);
  }
  const url = new URL("v1/edits?wait=1", base).href;
  return [`curl -H 'X-Partway: 1' ${quoted(url)}`, ...parts].join(" \\\n  ");
}

const KINDS = { "Command line": asCommand, Python: asPython, curl: asCurl };

export class Snippets {
  constructor() {
    this.blocks = {};
    const blocks = Object.keys(KINDS).map((kind) => this.block(kind));
    byId("snippets").replaceChildren(...blocks);
  }

  block(kind) {
    const code = el("code");
    const button = el("button", { type: "button", class: "plain", "aria-label": `Copy: ${kind}` }, "Copy");
    button.addEventListener("click", () => copy(code, button));
    this.blocks[kind] = code;
    return el(
      "div",
      { class: "snippet" },
      el("div", { class: "snippet-head" }, el("h3", {}, kind), button),
      el("pre", { tabindex: "0", role: "region", "aria-label": kind }, code),
    );
  }

  /** What is asked for, and the strength, in every form. */
  show({ picture, reference, area, settings, strength }) {
    const wish = {
      name: picture?.name ?? "picture.png",
      settings,
      strength,
      hasReference: Boolean(reference),
      painted: Boolean(area),
      base: document.baseURI,
    };
    for (const [kind, write] of Object.entries(KINDS)) this.blocks[kind].textContent = write(wish);
  }
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard here: ready for Ctrl-C
    button.textContent = "Press Ctrl-C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
