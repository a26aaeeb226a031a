// Painting where the edit acts: a mode of the page, with the plane that is painted.

import { Brush } from "./brush.js";
import { byId, el, say } from "./dom.js";
import { percent } from "./format.js";
import { fromPicture, toPng } from "./grey.js";
import { Overlay } from "./overlay.js";
import { Plane } from "./plane.js";
import { Margins } from "./margins.js";
import { confines } from "./settings.js";
import { nameOf } from "./store.js";
import { Tools } from "./tools.js";

const NAMES = { mask: "Mask", map: "Map", extend: "Extend" };

export class Painting {
  /**
   * on  begin() and end() of the mode, area({blob, id} or null) when what is painted is another,
   *     settings(changes), moved(u, v) where the keys have brought the brush, extends() where
   *     the edges are moved, sized() where the picture may have another size, fail(error)
   */
  constructor(on) {
    this.on = on;
    this.open = false;
    this.plane = null;
    this.area = null;
    this.changed = false; // since `area` was made
    this.made = Promise.resolve(); // when it is
    this.overlay = new Overlay(byId("overlay"));
    const edit = (act) => () => this.edit(act);
    const acts = {
      undo: edit((plane) => plane.undo()),
      redo: edit((plane) => plane.redo()),
      invert: edit((plane) => plane.invert()),
      fill: edit((plane) => plane.fill(this.tools.tool.value)),
      clear: edit((plane) => plane.fill(0)),
    };
    this.tools = new Tools(
      { ...acts, done: () => this.leave(), open: (file) => this.load(file) },
      on.settings,
    );
    const { tools } = this;
    this.brush = new Brush(() => tools.tool, {
      drew: (box) => this.overlay.change(box),
      ended: () => this.painted(),
      moved: ({ x, y }) => {
        say(byId("painted"), `at ${Math.floor(x)}, ${Math.floor(y)}`);
        on.moved(x / this.plane.width, y / this.plane.height);
      },
    });
    const shades = Array.from({ length: 10 }, (_, i) => [String((i + 1) % 10), () => tools.setShade(10 * (i + 1))]);
    this.margins = new Margins((extend) => on.settings({ extend }));
    this.brushKeys = {
      ...Object.fromEntries(shades),
      b: () => tools.erase(false),
      e: () => tools.erase(true),
      x: () => tools.erase(!tools.brush.erasing),
      "[": () => tools.resize(-1),
      "]": () => tools.resize(1),
      f: acts.fill,
      i: acts.invert,
      delete: acts.clear,
      backspace: acts.clear,
    };
    addEventListener("keydown", (event) => this.key(event, acts));
    byId("area").addEventListener("click", () => this.enter());
    byId("area-remove").addEventListener("click", () => this.remove());
    byId("area-save").addEventListener("click", () => this.save().catch(on.fail));
  }

  /** What single keys do while it is open. */
  get keys() {
    return { ...(this.kind === "extend" ? {} : this.brushKeys), m: () => this.leave() };
  }

  /** A new source; what is painted stays where asked, if it has the same size. Returns its area. */
  source({ width, height }, keep) {
    if (this.open) this.close();
    if (!keep || this.plane?.width !== width || this.plane?.height !== height) {
      this.plane = new Plane(width, height);
      this.area = null;
      this.changed = false;
      this.tools.source(this.plane);
    }
    this.brush.plane = this.plane;
    return this.area;
  }

  enter() {
    if (!this.plane) return;
    this.open = true;
    this.arrange();
    this.on.begin();
    this.tell();
    byId(this.kind === "extend" ? "margin-left" : "paint").focus({ preventScroll: true });
  }

  /** Back to the dial; resolves when the area is what was painted. */
  async leave() {
    if (this.open) {
      this.close();
      byId("area").focus({ preventScroll: true });
    }
    await this.commit();
  }

  close() {
    this.brush.release();
    this.open = false;
    this.arrange();
    this.on.end();
  }

  /** Another part of the picture is seen. */
  look(view) {
    this.overlay.look(view);
    this.brush.look();
  }

  arrange() {
    document.querySelector("main").classList.toggle("painting", this.open);
    byId("tools").hidden = !this.open;
    byId("paint").hidden = !this.open || this.kind === "extend";
    byId("extend").hidden = !this.open || this.kind !== "extend";
    byId("overlay").hidden = this.kind === "extend";
    if (this.open && this.kind === "extend") this.on.extends();
  }

  /** Make the area of what is painted, where that changed; resolves when there is none to make. */
  commit() {
    if (this.changed) {
      this.changed = false;
      const { plane } = this;
      this.made = this.made.catch(() => null).then(() => this.make(plane));
    }
    return this.made;
  }

  async make(plane) {
    const area = plane.facts.any ? await areaOf(await toPng(plane)) : null;
    if (plane !== this.plane) return; // there is another source by now
    this.area = area;
    this.on.area(area);
  }

  /** Take up an area of the history; returns it. */
  async take(area) {
    const { plane } = this;
    const values = area ? await fromPicture(area.blob, plane) : new Uint8ClampedArray(plane.values.length);
    if (plane !== this.plane) return this.area;
    plane.load(values);
    this.overlay.change(plane.whole);
    this.area = area;
    this.changed = false;
    return area;
  }

  remove() {
    if (this.kind === "extend") this.on.settings({ extend: null });
    else this.edit((plane) => plane.fill(0));
    this.commit().catch(this.on.fail);
    byId("area").focus({ preventScroll: true });
  }

  async load(file) {
    const { plane } = this;
    try {
      const values = await fromPicture(file, plane);
      if (plane === this.plane) this.edit(() => plane.load(values));
    } catch (error) {
      this.on.fail(error);
    }
  }

  async save() {
    const href = URL.createObjectURL(await toPng(this.plane));
    el("a", { href, download: `${this.kind}.png` }).click();
    URL.revokeObjectURL(href);
  }

  edit(act) {
    if (this.plane.stroke) return; // a hand is drawing
    act(this.plane);
    this.overlay.change(this.plane.whole);
    this.painted();
  }

  painted() {
    this.changed = true;
    this.tell();
  }

  /** Settings as they are, and whether something is painted. */
  show(settings, area) {
    if (!this.plane) return;
    this.kind = settings.area;
    this.tools.show(settings);
    this.arrange();
    this.margins.show(this.kind === "extend" ? settings.extend : null, this.plane, this.open && this.kind === "extend");
    this.on.sized();
    this.overlay.show(this.plane, this.kind === "map", this.tools.featherOf(settings));
    const button = byId("area");
    const confined = confines(settings, area) !== null;
    const says = this.kind === "extend" ? this.share() : `${NAMES[this.kind]} · ${this.share()}`;
    button.textContent = confined ? says : NAMES[this.kind];
    button.classList.toggle("on", confined);
    byId("area-remove").hidden = !confined;
    this.tell();
  }

  share() {
    if (this.kind === "extend") return `${this.margins.whole.width} × ${this.margins.whole.height}`;
    const { selected, mean, any } = this.plane.facts;
    const share = this.kind === "map" ? mean : selected;
    return any && share < 0.005 ? "< 1 %" : `${percent(share)} %`;
  }

  tell() {
    const share = this.share();
    const words = this.kind === "map" ? `${share} of the strength on average` : `${share} of the picture is painted`;
    this.tools.state(this.plane, this.plane.facts.any ? words : "Nothing is painted yet.");
  }

  key(event, acts) {
    if (!this.open || this.kind === "extend" || !(event.ctrlKey || event.metaKey) || event.target.closest?.("input[type=text]")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    (key === "y" || event.shiftKey ? acts.redo : acts.undo)();
  }
}

async function areaOf(blob) {
  return { blob, id: nameOf(await blob.arrayBuffer()) };
}
