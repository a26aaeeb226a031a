"""What a number means in each program: tables and plot of docs/strength.md.

`make docs-strength`. Nothing is rendered: all follows from partway.dialects.
"""

from __future__ import annotations

import re
from pathlib import Path

from partway.dialects import DIALECTS, KINDS, Setting, get_dialect, start_of
from partway.errors import InvalidRequest
from pictures import REPOSITORY

PAGE = REPOSITORY / "docs" / "strength.md"
PLOT = REPOSITORY / "docs" / "results" / "strength.png"
VALUES = (0.05, 0.25, 0.45, 0.6, 0.8, 1.0)
STEPS = 20
FEW = 4
# Program, sampler, spacing and what to call them, by kind of model.
ROWS: dict[str, list[tuple[str, str | None, str | None, str]]] = {
    "sd1": [
        ("partway", None, None, "partway"),
        ("diffusers", "pndm", None, "diffusers, PNDM"),
        ("diffusers", "euler", None, "diffusers, Euler"),
        ("openvino", None, None, "OpenVINO GenAI"),
        ("a1111", "euler", None, "A1111, Forge: Euler"),
        ("a1111", "dpmpp_2m", None, "A1111, Forge: DPM++ 2M"),
        ("a1111", "ddim", None, "A1111, Forge: DDIM"),
        ("a1111-hires", "euler", None, "A1111 hires fix: Euler"),
        ("sdnext", None, None, "SD.Next"),
        ("comfyui", None, "normal", "ComfyUI, normal"),
        ("comfyui", None, "karras", "ComfyUI, karras"),
        ("swarmui", None, None, "SwarmUI"),
        ("krita", None, None, "Krita AI"),
        ("invokeai", "euler", None, "InvokeAI, Euler"),
        ("sdcpp", None, None, "sd.cpp"),
        ("sdcpp-noise", None, None, "sd.cpp, as noise level"),
        ("drawthings", None, None, "Draw Things"),
    ],
    "flux": [
        ("partway", None, None, "partway"),
        ("diffusers", None, None, "diffusers"),
        ("comfyui", None, None, "ComfyUI, simple"),
        ("invokeai", None, None, "InvokeAI, optimized"),
        ("invokeai-plain", None, None, "InvokeAI, not optimized"),
        ("swarmui", None, None, "SwarmUI"),
        ("sdcpp", None, None, "sd.cpp"),
        ("sdcpp-noise", None, None, "sd.cpp, as noise level"),
        ("mflux", None, None, "mflux (inverted)"),
        ("drawthings", None, None, "Draw Things"),
        ("replicate", None, None, "Replicate"),
    ],
}


def cell(program: str, value: float, setting: Setting) -> str:
    """Noise in per cent and evaluations; "fails" where the program does."""
    try:
        start = start_of(program, value, setting)
    except InvalidRequest:
        return "fails"
    return f"{100 * start.noise_fraction:.0f} % · {start.evaluations}"


def table(kind: str, steps: int) -> str:
    """A row per program, a column per value."""
    lines = [
        f"| {KINDS[kind].name}, {steps} steps | {' | '.join(f'{v:g}' for v in VALUES)} |",
        "|---" * (len(VALUES) + 1) + "|",
    ]
    for program, sampler, spacing, label in ROWS[kind]:
        setting = Setting(steps, KINDS[kind], sampler, spacing)
        cells = " | ".join(cell(program, value, setting) for value in VALUES)
        lines.append(f"| {label} | {cells} |")
    return "\n".join(lines)


def sources() -> str:
    """Where every rule was read."""
    lines = ["| program | its name for it | default | read in |", "|---|---|---|---|"]
    for name, dialect in DIALECTS.items():
        notes = " (inverted)" * dialect.inverted + " (approximate)" * dialect.approximate
        default = "" if dialect.default is None else f"{dialect.default:g}"
        lines.append(f"| `{name}` | {dialect.control}{notes} | {default} | {dialect.source} |")
    return "\n".join(lines)


def plot(path: Path) -> None:
    """Start level over the number, one panel per kind of model."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    picked = {
        "sd1": ["diffusers, Euler", "A1111, Forge: Euler", "A1111, Forge: DPM++ 2M",
                "ComfyUI, karras", "Krita AI", "sd.cpp, as noise level", "partway"],
        "flux": ["diffusers", "ComfyUI, simple", "InvokeAI, optimized", "mflux (inverted)",
                 "Draw Things", "partway"],
    }  # fmt: skip
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    figure.set_layout_engine("constrained")
    for axis, (kind, labels) in zip(axes, picked.items(), strict=True):
        rows = {label: row for *row, label in ROWS[kind]}
        for label in labels:
            program, sampler, spacing = rows[label]
            setting = Setting(STEPS, KINDS[kind], sampler, spacing)
            dialect = get_dialect(program)
            values: list[float] = []
            levels: list[float] = []
            for i in range(501):
                value = dialect.low + (dialect.high - dialect.low) * i / 500
                try:
                    level = start_of(program, value, setting).noise_fraction
                except InvalidRequest:
                    continue
                values.append(value)
                levels.append(100 * level)
            own = program == "partway"
            style = {"color": "black", "linewidth": 2.2} if own else {"linewidth": 1.2}
            axis.plot(values, levels, label=label, drawstyle="steps-post", **style)
        axis.set(
            title=f"{kind}, {STEPS} steps", xlabel="the number typed", xlim=(0, 1), ylim=(0, 100)
        )
        axis.grid(alpha=0.2)
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("noise in the start, %")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Fill the page's tables in, draw the plot."""
    found = {
        "sd1": table("sd1", STEPS),
        "few": table("sd1", FEW),
        "flux": table("flux", STEPS),
        "sources": sources(),
    }
    text = PAGE.read_text("utf-8")
    for name, content in found.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = place.sub(lambda m, content=content: f"{m[1]}{content}\n{m[2]}", text)
    PAGE.write_text(text, "utf-8")
    plot(PLOT)


if __name__ == "__main__":
    main()
