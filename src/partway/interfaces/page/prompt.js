// The prompt: subjects and styles the model knows are offered while it is typed.
//
// "fox, 3d" has two parts; the part at the caret is completed, subjects first, then styles.

import { byId, el } from "./dom.js";

const OFFERS = 8;

export class Prompt {
  /** onChange gets the text whenever it changes. */
  constructor(onChange) {
    this.input = byId("prompt");
    this.list = byId("suggestions");
    this.chips = byId("chips");
    this.onChange = onChange;
    this.subjects = [];
    this.styles = [];
    this.active = -1;
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
    // A press on an offer must not take the focus from the field first.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    this.input.value = text;
    this.mark();
  }

  /** What the model knows: names of subjects and styles; both empty where prompts are open. */
  knows(subjects, styles) {
    this.subjects = subjects;
    this.styles = styles;
    this.chips.replaceChildren(
      ...styles.map((style) =>
        el(
          "button",
          { type: "button", "aria-pressed": "false", onclick: () => this.toggle(style) },
          style,
        ),
      ),
    );
    this.chips.hidden = styles.length === 0;
    this.mark();
  }

  parts() {
    return this.value.split(",").map((part) => part.trim());
  }

  /** Put a style into the prompt, in place of another one, or take it out. */
  toggle(style) {
    const parts = this.parts();
    const has = parts.includes(style);
    const others = parts.filter((part) => part && !this.styles.includes(part));
    this.value = (has ? others : [...others, style]).join(", ");
    this.onChange(this.value);
  }

  mark() {
    const parts = this.parts();
    for (const chip of this.chips.children) {
      chip.setAttribute("aria-pressed", String(parts.includes(chip.textContent)));
    }
  }

  typed() {
    this.mark();
    this.onChange(this.value);
    this.offer();
  }

  /** Where the part at the caret begins and ends, and what is written of it. */
  atCaret() {
    const caret = this.input.selectionStart ?? this.value.length;
    const from = this.value.lastIndexOf(",", caret - 1) + 1;
    const comma = this.value.indexOf(",", caret);
    const to = comma < 0 ? this.value.length : comma;
    return { from, to, text: this.value.slice(from, to).trim().toLowerCase() };
  }

  offer() {
    const { from, text } = this.atCaret();
    const names = from === 0 ? this.subjects : [...this.styles, ...this.subjects];
    const found = text || from > 0 ? matches(text, from > 0 && !text ? this.styles : names) : [];
    if (found.length === 0 || (found.length === 1 && found[0] === text)) {
      this.close();
      return;
    }
    this.active = -1;
    this.list.replaceChildren(
      ...found.map((name, i) =>
        el(
          "li",
          { role: "option", id: `offer-${i}`, "aria-selected": "false", onclick: () => this.take(name) },
          name,
        ),
      ),
    );
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  /** Complete the part at the caret. */
  take(name) {
    const { from, to } = this.atCaret();
    const start = this.value.slice(0, from) + (from > 0 ? " " : "");
    this.value = start + name + this.value.slice(to);
    const caret = start.length + name.length;
    this.input.setSelectionRange(caret, caret);
    this.onChange(this.value);
    this.close();
  }

  key(event) {
    const open = !this.list.hidden;
    const offers = [...this.list.children];
    if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && open) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.active = (this.active + step + offers.length + (this.active < 0 && step < 0)) % offers.length;
      offers.forEach((offer, i) => offer.setAttribute("aria-selected", String(i === this.active)));
      offers[this.active].scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", offers[this.active].id);
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.offer();
    } else if (event.key === "Enter" && open && this.active >= 0) {
      event.preventDefault();
      this.take(offers[this.active].textContent);
    }
  }
}

/** Names that fit what is written: those that start with it, then those with a word that does. */
function matches(text, names) {
  if (!text) return names.slice(0, OFFERS + 1);
  const starts = names.filter((name) => name.startsWith(text));
  const words = names.filter((name) => !name.startsWith(text) && name.includes(` ${text}`));
  return [...new Set([...starts, ...words])].slice(0, OFFERS);
}
