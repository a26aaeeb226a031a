// What the page has to say in whole sentences: errors, and why a model does not suit a picture.

import { byId, el } from "./dom.js";

/** remedy  {name, act}, where there is one */
export function fail(error, remedy = null) {
  const button = (name, onclick) => el("button", { type: "button", class: "plain", onclick }, name);
  const buttons = [button("Dismiss", clearError)];
  if (remedy) {
    buttons.unshift(
      button(remedy.name, () => {
        clearError();
        remedy.act();
      }),
    );
  }
  byId("error").replaceChildren(el("p", {}, error.message), el("div", { class: "quiet-actions" }, ...buttons));
  byId("error").hidden = false;
  byId("error").scrollIntoView({ block: "nearest" });
}

export function clearError() {
  byId("error").hidden = true;
}

/** A photograph is no subject for a model of icons: say so, and what there is instead. */
export function explain({ name, found }, useAnyway) {
  const notice = byId("notice");
  notice.hidden = !found.photograph || found.model !== null;
  if (notice.hidden) return;
  const anyway = el("button", { type: "button", class: "plain", onclick: useAnyway }, "use pocket anyway");
  const why = `${name} looks like a photograph (${found.reason}); pocket draws icons. `;
  notice.replaceChildren(el("p", {}, why, "Pick a style picture to restyle it offline, or ", anyway, "."));
}

/** A picture whose file says how it was made: offer its settings. */
export function offerSettings({ name, found }, kept, restore) {
  const notice = byId("made");
  notice.hidden = kept === null;
  if (notice.hidden) return;
  const button = el("button", { type: "button", class: "plain", onclick: restore }, "restore its settings");
  const tool = found.made.tool ? ` with ${found.made.tool}` : "";
  notice.replaceChildren(el("p", {}, `${name} says how it was made${tool}: `, button, "."));
}

/** The server is not heard any more, or again. */
export function tellLost(lost) {
  if (lost !== byId("lost").hidden) return; // said already
  const retry = () => dispatchEvent(new Event("partway-retry"));
  const button = el("button", { type: "button", class: "plain", onclick: retry }, "Try now");
  byId("lost").replaceChildren(el("p", {}, "Connection lost, trying again. Nothing is lost on this page."), button);
  byId("lost").hidden = !lost;
}

/** What of a file's settings could not be restored: phrases. */
export function tellUnrestored(phrases) {
  byId("made").hidden = phrases.length === 0;
  byId("made").replaceChildren(el("p", {}, `Restored, but for ${phrases.join("; ")}.`));
}

export function clearNotices() {
  byId("notice").hidden = true;
  byId("made").hidden = true;
}
