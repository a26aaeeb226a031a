"""How far a checkpoint's networks on OpenVINO are from torch's in fp32, asked the same.

    python errors.py CHECKPOINT

prints {precision: {network: error}} as JSON: the root mean square of what they differ by, over that
of torch's answer.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from partway.families import load_family, profile_of, with_runtime
from partway.noise import Noise

SIDE = 128  # pixels
PROMPT = "a red house"


def answers(family: Any, words: list[Any]) -> dict[str, Any]:
    """What each network says; the UNet to words that are the same for every family."""
    shape = family.latent_shape(SIDE, SIDE)
    levels = [family.schedule.level(fraction) for fraction in (0.3, 0.9)]
    image = np.tanh(Noise(1, (3, SIDE, SIDE))())
    return {
        "text encoder": family.encode_prompt(PROMPT),
        "encoder": family.encode(image),
        "UNet": family.predict(Noise(2, (2, *shape))(), levels, words),
        "decoder": family.decode(Noise(3, shape)()),
    }


def error(found: Any, wanted: Any) -> float:
    """Relative, see above."""
    return float(f"{np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)):.1e}")


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    profile = profile_of(parser.parse_args().checkpoint)
    torch_one = load_family(profile, "fp32")
    words = [torch_one.encode_prompt(prompt) for prompt in (PROMPT, "")]
    wanted = answers(torch_one, words)
    del torch_one
    errors: dict[str, dict[str, float]] = {}
    for precision in ("fp32", "bf16"):
        found = answers(load_family(with_runtime(profile, "openvino"), precision), words)
        errors[precision] = {name: error(found[name], wanted[name]) for name in wanted}
    print(json.dumps(errors))


if __name__ == "__main__":
    main()
