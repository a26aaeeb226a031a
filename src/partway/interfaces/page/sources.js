// What is edited: a new picture, an edit from the history, a result edited further.

import { postForm } from "./api.js";
import { byId } from "./dom.js";
import { fileName } from "./history.js";
import { settingsIn } from "./made.js";
import { clearError, clearNotices, explain, offerSettings } from "./notices.js";
import { checked } from "./settings.js";
import { nameOf } from "./store.js";

export class Sources {
  /**
   * parts  the controls of the page by name
   * act    change(settings) and turnTo(strength)
   */
  constructor(state, view, making, parts, act) {
    this.state = state;
    this.view = view;
    this.making = making;
    this.parts = parts;
    this.act = act;
  }

  /** Take a picture as the source. An example brings its prompt or style, and is edited at once. */
  async take({ blob, name, prompt = null, style = null, keepArea = false }) {
    const { state } = this;
    clearError();
    const found = await inspected(blob, name);
    this.making.drop();
    await this.show(blob, name, found, keepArea);
    const way = style || (found.photograph && prompt !== "") ? "references" : "prompt";
    state.reference = null;
    const extend = { extend: null, area: state.settings.area === "extend" ? "mask" : state.settings.area };
    this.act.change({ way, model: null, style, ...extend, ...(prompt === null ? {} : { prompt }) });
    this.parts.strip.begin(state.choices.sweep, state.picture.url);
    this.parts.reading.hints([]);
    explain(state.picture, () => this.useAnyway());
    const kept = settingsIn(found.made, (model) => Boolean(state.find(model ?? null)));
    offerSettings(state.picture, kept, () => this.takeOver(kept));
    this.act.turnTo(state.strength);
    if (prompt || style) await this.making.edit();
  }

  async show(blob, name, found, keepArea) {
    const { state } = this;
    if (state.picture) URL.revokeObjectURL(state.picture.url);
    const id = nameOf(await blob.arrayBuffer());
    const { width, height } = found;
    state.picture = { blob, name, found, id, width, height, url: URL.createObjectURL(blob) };
    const looks = found.photograph ? "photograph" : "artwork";
    this.parts.source.show(state.picture, `${width} × ${height} · ${looks}`);
    state.area = this.parts.painting.source(state.picture, keepArea);
    await this.parts.stage.source(state.picture);
  }

  useAnyway() {
    clearNotices();
    this.act.change({ way: "prompt", model: "pocket" });
    byId("prompt").focus();
  }

  /** Settings from the source's own file; the source it was made from is not in there. */
  takeOver({ settings, strength }) {
    clearNotices();
    this.state.reference = null;
    this.act.change(settings);
    this.act.turnTo(strength ?? this.state.strength);
  }

  /** An edit as it was: source, settings, what was painted, results. */
  async restore(edit) {
    const { state } = this;
    const found = await inspected(edit.source, edit.name);
    this.making.drop();
    await this.show(edit.source, edit.name, found, false);
    state.reference = edit.reference;
    state.settings = checked(edit.settings);
    state.area = await this.parts.painting.take(edit.area ?? null);
    state.made = state.identity;
    this.parts.strip.begin(state.choices.sweep, state.picture.url);
    for (const result of edit.results) this.making.finished({ ...result });
    this.view.settings();
    clearNotices();
    this.act.turnTo(edit.strength);
    scrollTo({ top: 0, behavior: "smooth" });
  }

  /** Edit a result further: the same words, the same part of the picture. */
  async reuse(result, name) {
    const { prompt } = this.state.settings;
    await this.take({ blob: result.blob, name: fileName(name, result.strength), keepArea: true });
    this.act.change({ prompt });
    scrollTo({ top: 0, behavior: "smooth" });
  }

  /** Keep the edit in the history. */
  remember() {
    const { state } = this;
    if (!state.byHand || !state.current || state.results.size === 0) return;
    const results = [...state.results.values()].map(({ url, image, ...rest }) => rest);
    this.parts.history.keep({
      id: nameOf(state.made),
      at: Date.now(),
      name: state.picture.name,
      source: state.picture.blob,
      settings: { ...state.settings },
      reference: state.reference,
      area: state.area,
      strength: state.strength,
      results,
    });
  }
}

/** What the server sees in a picture. */
function inspected(blob, name) {
  const form = new FormData();
  form.append("source", blob, name);
  return postForm("inspect", form);
}
