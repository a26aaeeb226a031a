// The page: its controls, and who hears from whom.

import { getJson, onKeyNeeded } from "./api.js";
import { Bank } from "./bank.js";
import { Dial } from "./dial.js";
import { byId } from "./dom.js";
import { Filmstrip } from "./filmstrip.js";
import { History, resultOf } from "./history.js";
import { listenForKeys } from "./keys.js";
import { Making } from "./making.js";
import { Models } from "./models.js";
import { fail } from "./notices.js";
import { Painting } from "./painting.js";
import { Prompt } from "./prompt.js";
import { Plans, Reading } from "./reading.js";
import { Seed } from "./seed.js";
import { Settings } from "./settings.js";
import { Snippets } from "./snippets.js";
import { Source } from "./source.js";
import { Sources } from "./sources.js";
import { Stage } from "./stage.js";
import { State } from "./state.js";
import { View } from "./view.js";
import { Zoom } from "./zoom.js";

const state = new State();
const plans = new Plans(planned);
const parts = {
  stage: new Stage(),
  reading: new Reading((strength) => turnTo(strength, { settle: true })),
  dial: new Dial((strength) => turnTo(strength), settled, (strength) => turnTo(strength, { settle: true })),
  strip: new Filmstrip((strength) => turnTo(strength, { settle: true })),
  prompt: new Prompt((prompt) => change({ prompt })),
  bank: new Bank(({ style, reference }) => {
    state.reference = reference;
    change({ style });
    edit();
  }),
  settings: new Settings(change),
  seed: new Seed((value, thrown) => {
    change({ seed: value });
    if (thrown) edit();
  }),
  models: new Models((model) => change({ model, way: wayFor(model) })),
  source: new Source((given) => sources.take(given).catch(fail)),
  snippets: new Snippets(),
  history: new History(
    (edit) => sources.restore(edit).catch(fail),
    (edit) => sources.reuse(resultOf(edit), edit.name).catch(fail),
  ),
  painting: new Painting({
    begin: () => parts.stage.paint(true),
    end: () => parts.stage.paint(false),
    area: (area) => {
      state.area = area;
      change({});
    },
    settings: change,
    moved: (u, v) => zoom.reveal(u, v),
    extends: () => zoom.fit(),
    sized: () => zoom.show(),
    fail,
  }),
};
const zoom = new Zoom({
  drags: () => !parts.painting.open && parts.stage.view !== "compare",
  fixed: () => parts.painting.open && parts.painting.kind === "extend",
  wheels: () => parts.painting.open,
  moved: (view) => parts.painting.look(view),
});
const view = new View(state, parts);
const making = new Making(state, view, parts, () => sources.remember());
const sources = new Sources(state, view, making, { ...parts, zoom }, { change, turnTo });

/** The dial stands at a strength; `settle` where it is there to stay. */
function turnTo(strength, { settle = false } = {}) {
  state.strength = strength;
  parts.dial.value = strength;
  parts.reading.strength(strength);
  parts.strip.select(strength);
  if (!state.result) parts.stage.start();
  view.show();
  plans.ask(state.planFields);
  if (settle) settled(strength);
}

function settled(strength) {
  view.describe();
  making.settled(strength);
}

function planned(plan, error) {
  if (error) return refused(error);
  state.plan = plan;
  parts.dial.inBand(plan.band.split(":")[0]);
  view.show();
  view.describe();
}

/** No plan for these settings, and why; a server that does not answer is more than that. */
function refused(error) {
  if (error.status === 0) return fail(error);
  state.plan = null;
  parts.reading.show(null);
  parts.reading.hints([error.message]);
}

/** Settings change: what was made is of the past, until they are again what they were. */
function change(changes) {
  Object.assign(state.settings, changes);
  view.settings();
  parts.strip.stale(!state.current);
  view.invite(!state.current);
  plans.ask(state.planFields);
}

/** What a chosen model follows; without one, what suits the picture. */
function wayFor(name) {
  const photograph = name === null && state.picture?.found?.photograph;
  const styled = state.find(name)?.conditioning === "references";
  return photograph || styled ? "references" : "prompt";
}

async function go(event) {
  event.preventDefault();
  state.byHand = true;
  if (!parts.seed.locked) change({ seed: parts.seed.next() });
  await edit();
}

/** Edit as everything stands, what is being painted included. */
async function edit() {
  try {
    await parts.painting.leave();
    await making.edit();
  } catch (error) {
    fail(error);
  }
}

function listen() {
  byId("ask").addEventListener("submit", go);
  byId("cancel").addEventListener("click", () => making.cancel());
  byId("reuse").addEventListener("click", () => {
    if (state.result) sources.reuse(state.result, state.picture.name).catch(fail);
  });
  byId("negative_prompt").addEventListener("input", (event) => change({ negative_prompt: event.target.value }));
  byId("keep_colors").addEventListener("change", (event) => change({ keep_colors: event.target.checked }));
  for (const radio of document.querySelectorAll("input[name=way]")) {
    radio.addEventListener("change", () => change({ way: radio.value, model: null }));
  }
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, () => (state.byHand = true), { once: true });
  }
  addEventListener("pagehide", () => making.work.cancel());
  const { stage, painting } = parts;
  const keys = {
    b: () => stage.flip(),
    c: () => (stage.view = stage.view === "compare" ? "result" : "compare"),
    d: () => byId("dial").focus(),
    m: () => painting.enter(),
    r: () => byId("dice").click(),
    "/": () => byId("prompt").focus(),
  };
  const escape = () => (painting.open ? painting.leave() : making.cancel());
  listenForKeys(() => ({ ...zoom.keys, ...(painting.open ? painting.keys : keys) }), escape);
}

function askForKey() {
  const dialog = byId("key-dialog");
  const answer = () => (dialog.returnValue === "ok" ? byId("key").value : null);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(answer()), { once: true });
  });
}

async function begin() {
  onKeyNeeded(askForKey);
  listen();
  const [offered, modelList, styles, examples] = await Promise.all(
    ["choices", "models", "styles", "examples"].map(getJson),
  );
  state.choices = offered;
  state.strength = offered.strength;
  state.models = modelList.data;
  parts.models.models = modelList.data;
  parts.bank.show(styles);
  parts.settings.build(offered);
  parts.dial.bands(offered.bands);
  parts.source.examples(examples);
  const pocket = state.models.find((model) => model.subjects.length > 0);
  parts.prompt.knows(pocket?.subjects ?? [], pocket?.styles ?? []);
  turnTo(state.strength);
  parts.history.show();
  await parts.source.example(examples[0]);
}

begin().catch(fail);
