// Light or dark: the system's choice until the person makes one.

import { byId } from "./dom.js";

const KEY = "partway-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const button = byId("theme");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It lasts as long as the page.
  }
}

function show(theme) {
  document.documentElement.dataset.theme = theme;
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", theme === "dark" ? "Light colours" : "Dark colours");
  dispatchEvent(new Event("themechange"));
}

const system = () => (dark.matches ? "dark" : "light");

show(remembered() ?? system());
dark.addEventListener("change", () => remembered() ?? show(system()));
button.addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remember(theme);
  show(theme);
});
