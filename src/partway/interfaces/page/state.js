// What the page is about: the source, what to make of it, and what was made.

import { DEFAULTS } from "./settings.js";

export class State {
  constructor() {
    this.choices = null; // what the server offers: strengths of the filmstrip, bands, names
    this.models = [];
    this.picture = null; // {blob, name, url, id, width, height, found}
    this.reference = null; // a style picture of one's own
    this.area = null; // what is painted: {blob, id}
    this.settings = { ...DEFAULTS };
    this.strength = 0.5;
    this.results = new Map(); // strength → result, made of `made`
    this.made = null; // what the results were made of: an identity
    this.plan = null;
    this.byHand = false; // whether the person asked for anything yet
  }

  /** Everything that decides the pixels but the strength. */
  get identity() {
    const { picture, settings, reference, area } = this;
    const own = reference && [reference.size, reference.name, reference.lastModified];
    return JSON.stringify([picture?.id, settings, own, ...(area ? [area.id] : [])]);
  }

  /** Whether the results are of what is asked for now. */
  get current() {
    return this.made !== null && this.made === this.identity;
  }

  /** The result where the dial stands, if it is of what is asked for now. */
  get result() {
    return this.current ? this.results.get(this.strength) : undefined;
  }

  /** The plan of where the dial stands, once it has come. */
  get planHere() {
    return this.plan?.strength === this.strength ? this.plan : null;
  }

  /** The model that would run; null where the picture suits none that follows words. */
  get model() {
    const { model, way } = this.settings;
    if (model !== null) return this.find(model);
    if (way === "references") return this.models.find((each) => each.conditioning === way) ?? null;
    return this.find(this.picture?.found?.model ?? null);
  }

  find(name) {
    return this.models.find((model) => model.name === name) ?? null;
  }

  /** All that a job needs, as it is now. */
  get wish() {
    const { picture, reference, area } = this;
    return { picture, reference, area, settings: { ...this.settings } };
  }

  /** What a plan depends on. */
  get planFields() {
    const { dial, steps, full_steps, sampler, spacing } = this.settings;
    const model = this.model?.name ?? null;
    const fields = { strength: this.strength, dial, steps, full_steps, sampler, spacing, model };
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  }

  clearResults() {
    for (const result of this.results.values()) URL.revokeObjectURL(result.url);
    this.results.clear();
  }
}
