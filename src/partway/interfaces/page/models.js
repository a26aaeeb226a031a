// Models as cards, with the reason where one does not suit the picture.

import { byId, el, say } from "./dom.js";

export class Models {
  /** onPick gets a model's name, or null for the automatic choice. */
  constructor(onPick) {
    this.onPick = onPick;
    this.dialog = byId("models");
    this.button = byId("model");
    this.models = [];
    this.button.addEventListener("click", () => this.dialog.showModal());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // the backdrop
    });
  }

  find(name) {
    return this.models.find((model) => model.name === name) ?? null;
  }

  /** Show the choice: `chosen` is null for automatic, `found` what inspecting the source said. */
  show(chosen, way, found) {
    const styled = this.models.find((model) => model.conditioning === "references");
    const automatic = way === "references" ? styled?.name : found?.model;
    this.button.textContent = chosen ?? automatic ?? "choose one";
    say(byId("model-why"), found ? this.why(chosen, way, found) : "");
    const all = [null, ...this.models];
    byId("cards").replaceChildren(...all.map((model) => this.card(model, chosen, automatic, found)));
  }

  why(chosen, way, found) {
    if (chosen !== null) return this.objection(this.find(chosen), found) || "chosen by you";
    if (way === "references") return "follows a style picture, offline";
    return found.photograph ? "none for photographs and words" : "chosen for artwork";
  }

  /** Why a model does not suit the source; empty where it does. */
  objection(model, found) {
    if (!model?.artwork_only || !found?.photograph) return "";
    return `this looks like a photograph (${found.reason}); ${model.name} draws icons`;
  }

  card(model, chosen, automatic, found) {
    const name = model?.name ?? null;
    const objection = this.objection(model, found);
    const facts = model ? factsOf(model) : "";
    const about = model ? drawsOf(model) : `by what the picture is${automatic ? `: now ${automatic}` : ""}`;
    const radio = el("input", {
      type: "radio",
      name: "model",
      value: name ?? "",
      onchange: () => this.pick(name),
    });
    radio.checked = name === chosen;
    return el(
      "label",
      { class: "card" },
      radio,
      el(
        "span",
        { class: "card-body" },
        el("strong", {}, name ?? "Automatic"),
        el("span", {}, about),
        ...(facts ? [el("span", { class: "small" }, facts)] : []),
        ...(objection ? [el("span", { class: "objection" }, objection)] : []),
      ),
    );
  }

  pick(name) {
    this.dialog.close();
    this.onPick(name);
  }
}

function drawsOf(model) {
  return model.conditioning === "references" ? "any picture, in the manner of a style picture" : model.draws;
}

function factsOf(model) {
  const facts = [`${model.native_size} px`, `${model.default_steps} steps`];
  if (model.bytes) facts.push(`${Math.round(model.bytes / 1e6)} MB`);
  else facts.push("no weights");
  return facts.join(" · ");
}
