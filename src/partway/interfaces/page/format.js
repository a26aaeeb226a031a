// Numbers as the command line writes them: 0.45, 58 %, kept 71 %.

/** A strength: at most three decimals, none that says nothing. */
export function strengthText(strength) {
  return String(Math.round(strength * 1000) / 1000);
}

/** A share as a whole percentage; 100 only where nothing at all was lost. */
export function percent(share) {
  return share >= 1 ? 100 : Math.min(99, Math.max(0, Math.round(100 * share)));
}

/** "kept 71 %" of a result; empty where there was nothing to keep. */
export function keptText(kept) {
  return kept ? `kept ${percent(kept.structure)} %` : "";
}

/** A strength as people write it, 0.45, 0,45 or 45%; null where it is none in 0 … 1. */
export function parseStrength(text) {
  const trimmed = text.trim().replace(",", ".");
  const share = /^\d*\.?\d+\s*%$/.test(trimmed);
  const value = share ? parseFloat(trimmed) / 100 : Number(trimmed);
  return trimmed !== "" && value >= 0 && value <= 1 ? value : null;
}

/** Seconds as people say them: 0.4 s, 12 s. */
export function secondsText(seconds) {
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
