// The bank of style pictures: what a photograph can be restyled after, offline.

import { byId, el } from "./dom.js";

export class Bank {
  /** onPick gets {style, reference}: a name of the bank, or a picture of one's own. */
  constructor(onPick) {
    this.root = byId("bank");
    this.onPick = onPick;
    this.file = el("input", { type: "file", accept: "image/*", class: "hidden" });
    this.file.addEventListener("change", () => this.own());
    this.ownUrl = null;
  }

  /** Styles as the server lists them. */
  show(styles) {
    const cards = styles.map((style) =>
      el(
        "label",
        { class: "style-card", title: style.description },
        el("input", {
          type: "radio",
          name: "style",
          value: style.name,
          class: "hidden",
          onchange: () => this.onPick({ style: style.name, reference: null }),
        }),
        el("img", { src: style.thumbnail, alt: "", width: 64, height: 64, loading: "lazy" }),
        el("span", {}, style.name),
      ),
    );
    this.ownImage = el("span", { class: "own" }, "+");
    cards.push(el("label", { class: "style-card" }, this.file, this.ownImage, el("span", {}, "your own…")));
    this.root.replaceChildren(...cards);
  }

  own() {
    const [file] = this.file.files;
    if (!file) return;
    this.mine(file);
    this.onPick({ style: null, reference: file });
  }

  /** Show a picture of one's own as the chosen one. */
  mine(blob) {
    if (this.ownUrl) URL.revokeObjectURL(this.ownUrl);
    this.ownUrl = URL.createObjectURL(blob);
    this.ownImage.replaceChildren(el("img", { src: this.ownUrl, alt: "", width: 64, height: 64 }));
    this.select(null);
    this.ownImage.parentElement.classList.add("chosen");
  }

  select(name) {
    for (const radio of this.root.querySelectorAll("input[type=radio]")) {
      radio.checked = radio.value === name;
    }
    this.ownImage?.parentElement.classList.remove("chosen");
  }
}
