// What the page has to say in whole sentences: errors, and why a model does not suit a picture.

import { byId, el } from "./dom.js";

export function fail(error) {
  const dismiss = el("button", { type: "button", class: "plain", onclick: clearError }, "Dismiss");
  byId("error").replaceChildren(el("p", {}, error.message), dismiss);
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

export function clearNotice() {
  byId("notice").hidden = true;
}
