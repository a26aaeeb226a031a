// The page: what the person does, what the server answers, and where both show.

import { getJson, onKeyNeeded, postForm } from "./api.js";
import { Bank } from "./bank.js";
import { Dial } from "./dial.js";
import { byId } from "./dom.js";
import { Filmstrip } from "./filmstrip.js";
import { secondsText, strengthText } from "./format.js";
import { fileName, History, resultOf } from "./history.js";
import { listenForKeys } from "./keys.js";
import { settingsIn } from "./made.js";
import { Models } from "./models.js";
import { clearError, clearNotices, explain, fail, offerSettings } from "./notices.js";
import { Prompt } from "./prompt.js";
import { Plans, Reading, spoken } from "./reading.js";
import { Seed } from "./seed.js";
import { checked, DEFAULTS, Settings } from "./settings.js";
import { Snippets } from "./snippets.js";
import { Source } from "./source.js";
import { Stage } from "./stage.js";
import { nameOf } from "./store.js";
import { Work } from "./work.js";

const QUICK = 10; // seconds; edits that take less run when the dial is let go

const state = {
  picture: null, // {blob, name, url, id, width, height, found}
  reference: null, // a style picture of one's own
  settings: { ...DEFAULTS },
  strength: 0.5,
  results: new Map(), // strength → result, made with `made`
  made: null, // what the results were made of; see identity()
  plan: null,
  byHand: false, // whether the person asked for anything yet
};
let choices = null; // what the server offers: strengths of the filmstrip, bands, names

const stage = new Stage();
const reading = new Reading((strength) => turnTo(strength, { settle: true }));
const plans = new Plans(planned);
const dial = new Dial((strength) => turnTo(strength), settled);
const strip = new Filmstrip((strength) => turnTo(strength, { settle: true }));
const prompt = new Prompt((text) => change({ prompt: text }));
const bank = new Bank(({ style, reference }) => {
  state.reference = reference;
  change({ style });
  edit();
});
const settings = new Settings(change);
const seed = new Seed((value, thrown) => {
  change({ seed: value });
  if (thrown) edit();
});
const models = new Models((name) => {
  const references = name !== null && models.find(name)?.conditioning === "references";
  change({ model: name, way: wayFor(name, references) });
});
const source = new Source((given) => take(given).catch(fail));
const snippets = new Snippets();
const history = new History(
  (edit) => restore(edit).catch(fail),
  (edit) => reuse(resultOf(edit), edit.name).catch(fail),
);
const work = new Work({
  preview: (strength, url) => {
    strip.preview(strength, url);
    if (strength === state.strength) stage.result(url, "Preview");
  },
  step: (strength, share) => strip.progress(strength, share),
  done: finished,
  failed: (strength, message) => {
    strip.fail(strength, message);
    if (strength === state.strength) fail(new Error(message));
  },
  progress: (share) => {
    reading.progress(share);
    byId("cancel").hidden = share === null;
  },
  status: (text) => reading.status(text),
});

// ── the dial ─────────────────────────────────────────────────────────────────────────────────────

/** The dial stands at a strength; `settle` where it is there to stay. */
function turnTo(strength, { settle = false } = {}) {
  state.strength = strength;
  dial.value = strength;
  reading.strength(strength);
  strip.select(strength);
  if (!current() || !state.results.has(strength)) stage.start();
  show();
  plans.ask(planFields());
  if (settle) settled(strength);
}

/** The dial was let go: make the picture, where one press of Edit has said what to make. */
function settled(strength) {
  describe();
  if (current() && !state.results.has(strength) && !work.pending.has(strength)) {
    const slow = ({ mode, seconds }) => mode === "exact" && seconds > QUICK;
    if (![...state.results.values()].some(slow)) one(strength);
    else invite();
  }
}

function planFields() {
  const { dial: dialName, steps, full_steps, sampler, spacing } = state.settings;
  const fields = { strength: state.strength, dial: dialName, steps, full_steps, sampler, spacing };
  fields.model = effectiveModel()?.name ?? null;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function planned(plan, error) {
  if (error) return refused(error);
  state.plan = plan;
  dial.inBand(plan.band.split(":")[0]);
  show();
  describe();
}

/** No plan for these settings, and why; a server that does not answer is more than that. */
function refused(error) {
  if (error.status === 0) return fail(error);
  state.plan = null;
  reading.show(null);
  reading.hints([error.message]);
}

/** The picture and the numbers of where the dial stands. */
function show() {
  const result = current() ? state.results.get(state.strength) : undefined;
  const plan = planHere();
  if (plan) reading.show(plan, result);
  if (result) {
    stage.result(result.url, `Result at strength ${strengthText(state.strength)}`);
    reading.hints([...(result.hints ?? []), ...(result.warnings ?? [])]);
  } else if (plan) {
    stage.level(plan.alpha * plan.kappa, plan.sigma);
  }
  offer(result);
  snippets.show(state.picture?.name ?? "picture.png", state.settings, state.strength, !!state.reference);
}

/** For a screen reader, which hears the dial and does not see the numbers. */
function describe() {
  const result = current() ? state.results.get(state.strength) : undefined;
  dial.describe(spoken(state.strength, planHere(), result));
}

/** The plan of where the dial stands, once it has come. */
function planHere() {
  return state.plan?.strength === state.strength ? state.plan : null;
}

/** What can be done with a result. */
function offer(result) {
  const download = byId("download");
  byId("reuse").disabled = !result;
  download.setAttribute("aria-disabled", String(!result));
  if (result) {
    download.href = result.url;
    download.download = fileName(state.picture.name, state.strength);
  } else {
    download.removeAttribute("href");
  }
}

// ── what to make ─────────────────────────────────────────────────────────────────────────────────

/** Settings change: what was made is of the past. */
function change(changes) {
  Object.assign(state.settings, changes);
  showSettings();
  if (!current()) {
    strip.stale();
    invite();
  }
  plans.ask(planFields());
}

function showSettings() {
  const { way } = state.settings;
  const model = effectiveModel();
  for (const radio of document.querySelectorAll("input[name=way]")) radio.checked = radio.value === way;
  byId("words").hidden = way !== "prompt";
  byId("manner").hidden = way !== "references";
  if (prompt.value !== state.settings.prompt) prompt.value = state.settings.prompt;
  byId("negative_prompt").value = state.settings.negative_prompt;
  byId("keep_colors").checked = state.settings.keep_colors;
  if (state.reference) bank.mine(state.reference);
  else bank.select(state.settings.style);
  seed.show(state.settings.seed);
  settings.show(state.settings, model);
  models.show(state.settings.model, way, state.picture?.found ?? null);
  byId("bands").hidden = ![null, "standard"].includes(state.settings.dial);
  snippets.show(state.picture?.name ?? "picture.png", state.settings, state.strength, !!state.reference);
}

/** The model that would run; null where the picture suits none that follows words. */
function effectiveModel() {
  const { model, way } = state.settings;
  if (model !== null) return models.find(model);
  if (way === "references") return models.models.find((each) => each.conditioning === way) ?? null;
  return models.find(state.picture?.found?.model ?? null);
}

function wayFor(name, references) {
  if (references) return "references";
  return name === null && state.picture?.found?.photograph ? "references" : "prompt";
}

function identity() {
  return JSON.stringify([state.picture?.id, state.settings, state.reference?.size ?? null]);
}

function current() {
  return state.made !== null && state.made === identity();
}

/** The button asks to be pressed. */
function invite() {
  byId("go").classList.add("inviting");
}

/** Make the picture at the dial, then the filmstrip. */
async function edit() {
  if (!state.picture) return;
  clearError();
  if (state.settings.way === "references" && !state.settings.style && !state.reference) {
    return void fail(new Error("pick a style picture first, or follow words"));
  }
  work.cancel();
  byId("go").classList.remove("inviting");
  clearResults();
  state.made = identity();
  strip.begin(choices.sweep, state.picture.url);
  strip.select(state.strength);
  await running(() => work.run(wish(), state.strength, choices.sweep.filter((s) => s !== state.strength)));
}

/** Make the picture at one more strength of the same edit. */
async function one(strength) {
  clearError();
  await running(() => work.edit(wish(), strength));
}

function wish() {
  const { picture, reference } = state;
  return { picture, reference, settings: { ...state.settings } };
}

async function running(job) {
  const began = performance.now();
  const before = state.results.size;
  reading.status("starting");
  try {
    const whole = await job();
    const made = state.results.size - before;
    const took = secondsText((performance.now() - began) / 1000);
    const done = made === 1 ? `done in ${took}` : `${made} pictures in ${took}`;
    if (!work.busy) reading.status(whole ? done : "cancelled");
  } catch (error) {
    reading.status("");
    fail(error);
  }
  if (!work.busy) show();
  remember();
}

function finished(result) {
  result.url = URL.createObjectURL(result.blob);
  state.results.set(result.strength, result);
  strip.show(result.strength, result.url, result.kept);
  if (result.strength === state.strength) {
    show();
    describe();
  }
}

function clearResults() {
  for (const result of state.results.values()) URL.revokeObjectURL(result.url);
  state.results.clear();
}

function cancel() {
  if (!work.busy) return;
  work.cancel();
  reading.status("cancelled");
  if (!state.results.has(state.strength)) stage.start();
  show();
}

// ── sources and history ──────────────────────────────────────────────────────────────────────────

/** Take a picture as the source. An example brings its prompt or style, and is edited at once. */
async function take({ blob, name, prompt: words = null, style = null }) {
  clearError();
  const form = new FormData();
  form.append("source", blob, name);
  const found = await postForm("inspect", form);
  work.cancel();
  clearResults();
  state.made = null;
  await setPicture(blob, name, found);
  const way = found.photograph && words !== "" ? "references" : style ? "references" : "prompt";
  state.reference = null;
  change({ way, model: null, style, ...(words === null ? {} : { prompt: words }) });
  strip.begin(choices.sweep, state.picture.url);
  reading.hints([]);
  explain(state.picture, useAnyway);
  const kept = settingsIn(found.made, (model) => Boolean(models.find(model ?? null)));
  offerSettings(state.picture, kept, () => takeOver(kept));
  turnTo(state.strength);
  if (words || style) await edit();
}

async function setPicture(blob, name, found) {
  if (state.picture) URL.revokeObjectURL(state.picture.url);
  const id = nameOf(await blob.arrayBuffer());
  const { width, height } = found;
  state.picture = { blob, name, found, id, width, height, url: URL.createObjectURL(blob) };
  const looks = found.photograph ? "photograph" : "artwork";
  source.show(state.picture, `${width} × ${height} · ${looks}`);
  await stage.source(state.picture);
}

function useAnyway() {
  clearNotices();
  change({ way: "prompt", model: "pocket" });
  byId("prompt").focus();
}

/** Settings from the source's own file; the source it was made from is not in there. */
function takeOver({ settings, strength }) {
  clearNotices();
  state.reference = null;
  change(settings);
  turnTo(strength ?? state.strength);
}

async function restore(edit) {
  const form = new FormData();
  form.append("source", edit.source, edit.name);
  const found = await postForm("inspect", form);
  work.cancel();
  clearResults();
  await setPicture(edit.source, edit.name, found);
  state.reference = edit.reference;
  state.settings = checked(edit.settings);
  state.made = identity();
  strip.begin(choices.sweep, state.picture.url);
  for (const result of edit.results) finished({ ...result });
  showSettings();
  clearNotices();
  turnTo(edit.strength);
  scrollTo({ top: 0, behavior: "smooth" });
}

/** Edit a result further. */
async function reuse(result, name) {
  const words = state.settings.prompt;
  await take({ blob: result.blob, name: fileName(name, result.strength) });
  change({ prompt: words });
  scrollTo({ top: 0, behavior: "smooth" });
}

/** Keep the edit in the history. */
function remember() {
  if (!state.byHand || !current() || state.results.size === 0) return;
  const results = [...state.results.values()].map(({ url, image, ...rest }) => rest);
  history.keep({
    id: nameOf(state.made),
    at: Date.now(),
    name: state.picture.name,
    source: state.picture.blob,
    settings: { ...state.settings },
    reference: state.reference,
    strength: state.strength,
    results,
  });
}

// ── from the start ───────────────────────────────────────────────────────────────────────────────

function listen() {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    state.byHand = true;
    if (!seed.locked) change({ seed: seed.next() });
    edit();
  });
  byId("cancel").addEventListener("click", cancel);
  byId("reuse").addEventListener("click", () => {
    const result = state.results.get(state.strength);
    if (result) reuse(result, state.picture.name).catch(fail);
  });
  byId("negative_prompt").addEventListener("input", (event) => change({ negative_prompt: event.target.value }));
  byId("keep_colors").addEventListener("change", (event) => change({ keep_colors: event.target.checked }));
  for (const radio of document.querySelectorAll("input[name=way]")) {
    radio.addEventListener("change", () => change({ way: radio.value, model: null }));
  }
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, () => (state.byHand = true), { once: true });
  }
  addEventListener("pagehide", () => work.cancel());
  const keys = {
    b: () => stage.flip(),
    c: () => (stage.view = stage.view === "compare" ? "result" : "compare"),
    d: () => byId("dial").focus(),
    r: () => byId("dice").click(),
    "/": () => byId("prompt").focus(),
  };
  listenForKeys(keys, cancel);
}

function askForKey() {
  const dialog = byId("key-dialog");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? byId("key").value : null), { once: true });
  });
}

async function begin() {
  onKeyNeeded(askForKey);
  listen();
  const [offered, modelList, styles, examples] = await Promise.all(
    ["choices", "models", "styles", "examples"].map(getJson),
  );
  choices = offered;
  state.strength = choices.strength;
  models.models = modelList.data;
  bank.show(styles);
  settings.build(choices);
  dial.bands(choices.bands);
  source.examples(examples);
  const pocket = models.models.find((model) => model.subjects.length > 0);
  prompt.knows(pocket?.subjects ?? [], pocket?.styles ?? []);
  turnTo(state.strength);
  history.show();
  await source.example(examples[0]);
}

begin().catch(fail);
