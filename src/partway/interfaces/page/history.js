// The history: cards of earlier edits, each of which can be taken up again.

import { byId, el } from "./dom.js";
import { keptText, strengthText } from "./format.js";
import * as store from "./store.js";

export class History {
  /** onRestore and onReuse get an edit as it was kept. */
  constructor(onRestore, onReuse) {
    this.onRestore = onRestore;
    this.onReuse = onReuse;
    this.list = byId("history-list");
    this.urls = [];
    byId("forget").addEventListener("click", () => this.forgetAll());
  }

  /** Keep an edit and show it first. A browser that keeps nothing shows nothing. */
  async keep(edit) {
    try {
      await store.keep(edit);
      await this.show();
    } catch (error) {
      byId("history-empty").textContent = `This browser keeps no history: ${error.message}`;
    }
  }

  async show() {
    const edits = await store.all().catch(() => []);
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
    this.list.replaceChildren(...edits.map((edit) => this.card(edit)));
    byId("history-empty").hidden = edits.length > 0;
    byId("forget").hidden = edits.length === 0;
  }

  card(edit) {
    const result = resultOf(edit);
    const url = URL.createObjectURL(result.blob);
    this.urls.push(url);
    const title = titleOf(edit);
    const facts = [strengthText(result.strength), keptText(result.kept)].filter(Boolean).join(" · ");
    const act = (label, action) =>
      el("button", { type: "button", class: "plain", "aria-label": `${label}: ${title}`, onclick: action }, label);
    return el(
      "li",
      { class: "history-card" },
      el(
        "button",
        { type: "button", class: "history-picture", "aria-label": `Restore: ${title}`, onclick: () => this.onRestore(edit) },
        el("img", { src: url, alt: "", loading: "lazy" }),
      ),
      el("p", { class: "history-title", title }, title),
      el("p", { class: "small" }, facts),
      el(
        "div",
        { class: "history-actions" },
        act("Restore settings", () => this.onRestore(edit)),
        act("Use as source", () => this.onReuse(edit)),
        el("a", { class: "plain", href: url, download: fileName(edit.name, result.strength), "aria-label": `Download: ${title}` }, "Download"),
        act("Forget", () => this.forget(edit)),
      ),
    );
  }

  async forget(edit) {
    await store.forget(edit.id);
    await this.show();
  }

  async forgetAll() {
    if (!confirm("Forget all edits kept in this browser?")) return;
    await store.forgetAll();
    await this.show();
  }
}

/** The picture of an edit that its dial stood at, else the nearest one. */
export function resultOf(edit) {
  const away = (result) => Math.abs(result.strength - edit.strength);
  return edit.results.reduce((best, result) => (away(result) < away(best) ? result : best));
}

/** What to call an edit. */
function titleOf({ settings, name }) {
  if (settings.way === "prompt") return settings.prompt || name;
  return settings.style ? `${name}, ${settings.style}` : `${name}, a style of your own`;
}

/** A result's file, named as the command line names it: fox-s0.45.png. */
export function fileName(name, strength) {
  const stem = name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N} ._-]/gu, "_").slice(0, 80) || "partway";
  return `${stem}-s${strengthText(strength)}.png`;
}
