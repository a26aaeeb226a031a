// The state, shown: the picture and its numbers where the dial stands, and the settings.

import { byId } from "./dom.js";
import { strengthText } from "./format.js";
import { fileName } from "./history.js";
import { spoken } from "./reading.js";

export class View {
  /** parts  the controls of the page by name */
  constructor(state, parts) {
    this.state = state;
    this.parts = parts;
  }

  /** The picture and the numbers of where the dial stands. */
  show() {
    const { stage, reading } = this.parts;
    const { result, planHere: plan, strength } = this.state;
    if (plan) reading.show(plan, result);
    if (result) {
      stage.result(result.url, `Result at strength ${strengthText(strength)}`);
      reading.hints([...(result.hints ?? []), ...(result.warnings ?? [])]);
    } else if (plan) {
      stage.level(plan.alpha * plan.kappa, plan.sigma);
    }
    this.offer(result);
    this.snippets();
  }

  /** For a screen reader, which hears the dial and does not see the numbers. */
  describe() {
    const { strength, planHere, result } = this.state;
    this.parts.dial.describe(spoken(strength, planHere, result));
  }

  /** What can be done with a result. */
  offer(result) {
    const download = byId("download");
    byId("reuse").disabled = !result;
    download.setAttribute("aria-disabled", String(!result));
    if (result) {
      download.href = result.url;
      download.download = fileName(this.state.picture.name, this.state.strength);
    } else {
      download.removeAttribute("href");
    }
  }

  snippets() {
    this.parts.snippets.show({ ...this.state.wish, strength: this.state.strength });
  }

  settings() {
    const { settings, reference, picture, model } = this.state;
    const { prompt, bank, seed, models, dial } = this.parts;
    const { way } = settings;
    for (const radio of document.querySelectorAll("input[name=way]")) radio.checked = radio.value === way;
    byId("words").hidden = way !== "prompt";
    byId("manner").hidden = way !== "references";
    if (prompt.value !== settings.prompt) prompt.value = settings.prompt;
    byId("negative_prompt").value = settings.negative_prompt;
    byId("keep_colors").checked = settings.keep_colors;
    if (reference) bank.mine(reference);
    else bank.select(settings.style);
    seed.show(settings.seed);
    const before = this.extended;
    this.extended = JSON.stringify(settings.area === "extend" ? settings.extend : null);
    if (before !== undefined && before !== this.extended) this.parts.stage.start(); // of another shape
    this.parts.settings.show(settings, model);
    this.parts.painting.show(settings, this.state.area);
    models.show(settings.model, way, picture?.found ?? null);
    const standard = [null, "standard"].includes(settings.dial);
    byId("bands").hidden = !standard;
    dial.words(standard ? (model?.strengths ?? {}) : {}, model?.name);
    this.snippets();
  }

  /** Whether the button asks to be pressed. */
  invite(does) {
    byId("go").classList.toggle("inviting", does);
  }
}
