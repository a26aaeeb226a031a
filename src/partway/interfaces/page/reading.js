// What the number means: noise, steps and band of a strength, and what a result kept.

import { byId, el, say } from "./dom.js";
import { postJson } from "./api.js";
import { keptText, parseStrength, percent, strengthText } from "./format.js";

/** Asks the server for plans; while one is asked for, only the latest further wish is kept. */
export class Plans {
  constructor(onPlan) {
    this.onPlan = onPlan;
    this.busy = false;
    this.wish = null;
  }

  async ask(fields) {
    this.wish = fields;
    if (this.busy) return;
    this.busy = true;
    while (this.wish) {
      const asked = this.wish;
      this.wish = null;
      try {
        this.onPlan(await postJson("plan", asked));
      } catch (error) {
        this.onPlan(null, error);
      }
    }
    this.busy = false;
  }
}

export class Reading {
  /** onNumber gets a strength that was typed. */
  constructor(onNumber) {
    this.number = byId("number");
    this.number.addEventListener("change", () => {
      const strength = parseStrength(this.number.value);
      this.number.setAttribute("aria-invalid", String(strength === null));
      if (strength !== null) onNumber(strength);
    });
    this.number.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.number.blur();
    });
    this.plan = null;
    this.result = null;
  }

  strength(strength) {
    this.number.value = strengthText(strength);
    this.number.setAttribute("aria-invalid", "false");
  }

  /** A plan in numbers and words; null clears it. */
  show(plan, result) {
    const [name, says = ""] = (plan?.band ?? "").split(": ");
    say(byId("band"), name);
    say(byId("band-says"), says);
    say(byId("elsewhere"), elsewhereText(plan?.elsewhere ?? []));
    const facts = [];
    if (plan) facts.push(["noise", `${Math.round(100 * plan.noise_fraction)} %`]);
    if (plan) facts.push(["steps", stepsOf(plan)]);
    if (result?.kept) {
      facts.push(["kept", `${percent(result.kept.structure)} % of the structure`]);
      facts.push(["", `${percent(result.kept.color)} % of the colour`]);
    }
    byId("facts").replaceChildren(
      ...facts.map(([term, text]) => el("div", {}, el("dt", {}, term), el("dd", {}, text))),
    );
  }

  hints(lines) {
    byId("hints").replaceChildren(...lines.map((line) => el("li", {}, line)));
  }

  /** How far everything that runs is, 0 … 1; null where nothing runs. */
  progress(share) {
    const bar = byId("bar");
    bar.hidden = share === null;
    bar.value = share ?? 0;
  }

  status(text) {
    byId("status").textContent = text;
  }
}

/** "9 of 20", or "8" where the steps were counted exactly. */
function stepsOf(plan) {
  const { intervals, full_steps: full, evaluations } = plan;
  if (!intervals) return "none";
  const steps = full === null ? `${intervals}` : `${intervals} of ${full}`;
  return evaluations === intervals ? steps : `${steps}, ${evaluations} evaluations`;
}

/** What to type in other programs for the same start. */
function elsewhereText(found) {
  const values = found.map(({ program, value, near }) => `${program} ${near ? "" : "≈ "}${value}`);
  return values.length ? `elsewhere, on SD 1.x: ${values.join(", ")}` : "";
}

/** The dial in words, for a screen reader. */
export function spoken(strength, plan, result) {
  const noise = plan ? `${Math.round(100 * plan.noise_fraction)} % noise` : "";
  return [strengthText(strength), plan?.band ?? "", noise, keptText(result?.kept)].filter(Boolean).join(", ");
}
