// Single keys that act wherever no text is being typed.

const TYPING = "input[type=text], input[type=password], textarea, select, dialog";

/** `actions` gives those of the moment by key in lower case; `cancel` on Escape, also while typing. */
export function listenForKeys(actions, cancel) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) cancel();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const action = actions()[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
