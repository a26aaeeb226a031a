// What is edited: a new picture, an edit from the history, a result edited further.

import { postForm } from "./api.js";
import { byId } from "./dom.js";
import { fileName } from "./history.js";
import { settingsIn } from "./made.js";
import { clearError, clearNotices, explain, offerSettings, tellUnrestored } from "./notices.js";
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
    this.turn = 0; // of the picture that was asked for last
  }

  /**
   * Take a picture as the source; false where another was asked for before it was read. An example
   * brings its prompt or style, and is edited at once.
   */
  async take({ blob, name, prompt = null, style = null, keepArea = false }) {
    const { state } = this;
    clearError();
    if (keepArea) await this.parts.painting.commit();
    const picture = await this.look(blob, name);
    if (!picture) return false;
    this.making.drop();
    const shown = this.show(picture, keepArea);
    const { found } = picture;
    const way = style || (found.photograph && prompt !== "") ? "references" : "prompt";
    state.reference = null;
    const extend = { extend: null, area: state.settings.area === "extend" ? "mask" : state.settings.area };
    this.act.change({ way, model: null, style, ...extend, ...(prompt === null ? {} : { prompt }) });
    this.parts.strip.begin(state.choices.sweep, state.picture.url);
    this.parts.reading.hints([]);
    explain(state.picture, () => this.useAnyway());
    const kept = settingsIn(found.made, (model) => Boolean(state.find(model ?? null)));
    offerSettings(state.picture, kept, () => this.takeOver(kept));
    await shown;
    if (state.picture !== picture) return false;
    this.act.turnTo(state.strength);
    if (prompt || style) await this.making.edit();
    return true;
  }

  /** What is known of a picture; null where another is asked for meanwhile. */
  async look(blob, name) {
    const turn = (this.turn += 1);
    const [found, bytes] = await Promise.all([inspected(blob, name), blob.arrayBuffer()]);
    const { width, height } = found;
    const url = (await shownHere(blob)) ?? found.thumbnail; // TIFF, which browsers do not show
    if (turn === this.turn) return { blob, name, found, id: nameOf(bytes), width, height, url };
    URL.revokeObjectURL(url);
    return null;
  }

  async show(picture, keepArea) {
    const { state } = this;
    const { found, width, height } = picture;
    if (state.picture) URL.revokeObjectURL(state.picture.url);
    state.picture = picture;
    const looks = found.photograph ? "photograph" : "artwork";
    this.parts.source.show(state.picture, `${width} × ${height} · ${looks}`);
    this.parts.zoom.fit();
    state.area = this.parts.painting.source(state.picture, keepArea);
    await this.parts.stage.source(state.picture);
  }

  useAnyway() {
    clearNotices();
    this.act.change({ way: "prompt", model: "pocket" });
    byId("prompt").focus();
  }

  /** Settings from the source's own file; the source it was made from is not in there. */
  takeOver({ settings, strength, lost }) {
    clearNotices();
    this.state.reference = null;
    this.act.change(settings);
    this.act.turnTo(strength ?? this.state.strength);
    tellUnrestored(lost);
  }

  /** An edit as it was: source, settings, what was painted, results. */
  async restore(edit) {
    const { state } = this;
    const picture = await this.look(edit.source, edit.name);
    if (!picture) return;
    this.making.drop();
    const shown = this.show(picture, false);
    state.reference = edit.reference;
    state.settings = checked(edit.settings);
    const area = await this.parts.painting.take(edit.area ?? null);
    await shown;
    if (state.picture !== picture) return;
    state.area = area;
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
    const given = { blob: result.blob, name: fileName(name, result.strength), keepArea: true };
    if (!(await this.take(given))) return;
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

/** The address of a picture that this browser can show; null where it cannot. */
async function shownHere(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return url;
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/** What the server sees in a picture. */
function inspected(blob, name) {
  const form = new FormData();
  form.append("source", blob, name);
  return postForm("inspect", form);
}
