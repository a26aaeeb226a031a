"""The shift of flows: what configs say of it, against the installed diffusers."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from partway.errors import InvalidRequest
from partway.schedule import Schedule
from partway.shift import shift_of

DYNAMIC = {"use_dynamic_shifting": True}
QWEN = DYNAMIC | {"max_image_seq_len": 8192, "max_shift": 0.9}


@pytest.mark.parametrize(
    ("config", "tokens"),
    [({"shift": 3.0}, 10), (DYNAMIC, 256), (DYNAMIC, 1024), (QWEN, 6889),
     (DYNAMIC | {"time_shift_type": "linear"}, 4096)],
)  # fmt: skip
def test_a_whole_run_walks_the_grid_of_diffusers(config: dict[str, Any], tokens: int) -> None:
    diffusers = import_module("diffusers")
    mu = import_module("diffusers.pipelines.flux.pipeline_flux_img2img").calculate_shift
    ends = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**config)
    even = np.linspace(1.0, 1 / 9, 9)
    scheduler.set_timesteps(sigmas=even, mu=mu(tokens, *(scheduler.config[end] for end in ends)))
    schedule = Schedule(shift=shift_of(config).at(tokens))
    ours = [schedule.noise_fraction_at(time) for time in (*even, 0.0)]
    assert ours == pytest.approx(scheduler.sigmas.tolist(), abs=1e-6)


def test_what_makes_no_shift_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="time_shift_type is 'cubic'"):
        shift_of(DYNAMIC | {"time_shift_type": "cubic"})
    with pytest.raises(InvalidRequest, match="want a positive"):
        shift_of(DYNAMIC | {"time_shift_type": "linear"}).of(-1.0)
    assert shift_of({}).at(1) == 1.0
    assert shift_of(DYNAMIC).of(math.log(2)) == pytest.approx(2.0)
