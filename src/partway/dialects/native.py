"""Programs with an engine of their own: stable-diffusion.cpp, mflux, Draw Things."""

from __future__ import annotations

from partway.dialects.grids import GRIDS, Grid
from partway.dialects.rules import Dialect, Setting, Start, below, entered, float32, grid_of
from partway.errors import InvalidRequest

SPACINGS = {
    "normal": "linspace",
    "uniform": "linspace",
    "karras": "karras",
    "exponential": "exponential",
}


def _cpp_grid(setting: Setting) -> Grid:
    """Of sd.cpp: "discrete" is even in timesteps; for flows, u even from 1 to 1 / N."""
    return grid_of(setting, SPACINGS, "flow_shifted" if setting.kind.is_flow else "linspace")


def sdcpp(value: float, setting: Setting) -> Start:
    """`--strength`: t_enc = (size_t)(N * s) in float32, N at most N - 1; t_enc + 1 evaluations.

    97d29908 (2026-08-19), stable-diffusion.cpp: prepare_image_generation_latents. For flow models
    the grid is assumed, see `_cpp_grid`.
    """
    steps = setting.steps
    encoded = min(int(float32(steps * float32(value))), steps - 1) if value < 1.0 else steps - 1
    return entered(_cpp_grid(setting), setting.kind, steps - encoded - 1, steps)


def sdcpp_noise(value: float, setting: Setting) -> Start:
    """`--strength` with `--extra-sample-args strength_as_noise_level=1`.

    97d29908, since pull request 1738: the first level of the grid at or below sigma = s / (1 - s),
    of flows s, with at least one step left.
    """
    grid, kind, steps = _cpp_grid(setting), setting.kind, setting.steps
    first = sum(grid(kind, i, steps) > value for i in range(steps))
    return entered(grid, kind, min(first, steps - 1), steps)


def mflux(value: float, setting: Setting) -> Start:
    """`--image-strength`, inverted: starts at step max(1, int(N * s)); 0 is text-to-image.

    97ac5e6 (2026-06-30), models/common/config: init_time_step. 1 returns the picture through the
    autoencoder.
    """
    steps = setting.steps
    if not setting.kind.is_flow:
        raise InvalidRequest("mflux runs flow models; try --model-kind flux")
    first = max(1, int(steps * value)) if value > 0.0 else 0
    return entered(GRIDS["flow_shifted"], setting.kind, first, steps)


def drawthings(value: float, setting: Setting) -> Start:
    """`strength`: exactly the timestep 1000 s, of flows the level s; the first step is shorter.

    bfafc68c (2026-08-06), Samplers/*.swift: timestep(for:sampling:). At or above the first level of
    the grid the source is not used at all; 0 returns it.
    """
    kind, steps = setting.kind, setting.steps
    grid = GRIDS["flow_shifted"] if kind.is_flow else GRIDS["linspace"]
    if value <= 0.0:
        return Start(0.0, 0, steps, steps)
    level = value if kind.is_flow else kind.at_time(len(kind.table) * value)
    if level >= grid(kind, 0, steps):
        return Start(1.0, steps, 0, steps)
    first = below(grid, kind, level, steps)
    return Start(level, steps - first, first, steps)


CPP = "stable-diffusion.cpp 97d29908, prepare_image_generation_latents"
DIALECTS = {
    "sdcpp": Dialect(sdcpp, "--strength", CPP, default=0.75),
    "sdcpp-noise": Dialect(sdcpp_noise, "--strength (as noise level)", CPP, default=0.75),
    "mflux": Dialect(
        mflux, "--image-strength", "mflux 97ac5e6, init_time_step", default=0.4, inverted=True
    ),
    "drawthings": Dialect(
        drawthings, "strength", "draw-things-community bfafc68c, timestep(for:sampling:)"
    ),
}
