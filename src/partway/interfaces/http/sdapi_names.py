"""A1111's names of samplers and schedules, and where its dial starts.

Its rules as of version 1.10 (modules/sd_samplers_common.py, modules/sd_samplers_kdiffusion.py).
"""

from __future__ import annotations

from partway import dialects
from partway.dialects import KINDS, Setting, webui
from partway.errors import UnknownName
from partway.plan import check_steps
from partway.samplers import SAMPLERS
from partway.schedule import discrete_vp
from partway.spacings import SPACINGS, get_spacing
from partway.strength import check_strength, sd1_log_nsr, strength_at

# Label → our sampler, other names, and the schedule that "Automatic" stands for.
LABELS: dict[str, tuple[str, list[str], str]] = {
    "Euler": ("euler", ["k_euler"], "uniform"),
    "Euler a": ("euler_ancestral", ["k_euler_a", "k_euler_ancestral"], "uniform"),
    "Heun": ("heun", ["k_heun"], "uniform"),
    "DPM++ 2M": ("dpmpp_2m", ["k_dpmpp_2m"], "karras"),
    "DPM++ 2M SDE": ("dpmpp_2m_sde", ["k_dpmpp_2m_sde"], "exponential"),
    "DPM++ SDE": ("dpmpp_sde", ["k_dpmpp_sde"], "karras"),
    "UniPC": ("unipc", [], "uniform"),
    "LCM": ("lcm", ["k_lcm"], "uniform"),
}
SCHEDULES = {
    "Uniform": "uniform",
    "Karras": "karras",
    "Exponential": "exponential",
    "SGM Uniform": "sgm_uniform",
    "Simple": "simple",
    "Normal": "normal",
    "Beta": "beta",
}
AUTOMATIC = "Automatic"


def samplers() -> dict[str, tuple[str, list[str], str]]:
    """Those of its samplers that Partway has."""
    return {label: entry for label, entry in LABELS.items() if entry[0] in SAMPLERS}


def schedules() -> dict[str, str]:
    """Those of its schedules that Partway has."""
    return {label: name for label, name in SCHEDULES.items() if name in SPACINGS}


def read_sampler(label: str | None, schedule: str | None) -> tuple[str, str]:
    """Our sampler and spacing; a schedule may stand behind the sampler: "DPM++ 2M Karras"."""
    names: dict[str, str] = {}
    for known, (name, aliases, _) in samplers().items():
        names |= dict.fromkeys((known.lower(), name, *(alias.lower() for alias in aliases)), known)
    text = (label or "Euler").strip().lower()
    for end in schedules():
        if text not in names and text.endswith(f" {end.lower()}"):
            text, schedule = text.removesuffix(f" {end.lower()}"), schedule or end
            if schedule.lower() == AUTOMATIC.lower():
                schedule = end
    if text not in names:
        raise UnknownName("sampler", label or "", samplers())
    sampler, _, automatic = samplers()[names[text]]
    return sampler, _read_schedule(schedule, automatic)


def _read_schedule(label: str | None, automatic: str) -> str:
    """Our spacing of a schedule's name or label."""
    text = (label or AUTOMATIC).strip().lower()
    if text == AUTOMATIC.lower():
        return automatic if automatic in SPACINGS else "uniform"
    names = {known.lower(): name for known, name in schedules().items()}
    names |= {name: name for name in names.values()}
    if text not in names:
        raise UnknownName("scheduler", label or "", (AUTOMATIC, *schedules()))
    return names[text]


def start_of(strength: float, steps: int, spacing: str = "uniform") -> tuple[float, int]:
    """Strength on our dial `sd1` and evaluations of A1111's `denoising_strength` and `steps`.

    The rule is the dialect's (partway.dialects.webui), on Stable Diffusion 1.x. Strength 0 takes a
    step from the lowest level there; here it stays the source itself. The dialect has no rule for
    schedule Beta: its step is taken on our own spacing.
    """
    check_strength(strength)
    check_steps("steps", steps)
    if strength == 0.0:
        return 0.0, 1
    known = spacing if spacing in webui.SPACINGS else None
    start = dialects.start_of("a1111", strength, Setting(steps, KINDS["sd1"], None, known))
    level = start.noise_fraction if known else _own_level(spacing, steps, start.step)
    return strength_at(level, "sd1"), start.evaluations


def _own_level(spacing: str, steps: int, step: int) -> float:
    """Noise fraction at a step of our own spacing on Stable Diffusion 1.x."""
    schedule = discrete_vp(sd1_log_nsr())
    return get_spacing(spacing)(schedule, schedule.top, steps)[step]
