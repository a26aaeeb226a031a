"""The dial: what a strength between 0 and 1 means.

A dial turns `strength` into the *noise fraction* at which an edit starts,

    noise_fraction = sigma / (alpha + sigma) = nsr / (1 + nsr),     x = alpha * x0 + sigma * eps

0 is the source itself, 1 is pure noise: both ends are exact on every dial, and between them every
dial is continuous and strictly increasing. Nothing here knows steps, samplers or models.

    noise      noise_fraction = strength
    sd1        the noise that Stable Diffusion 1.x has at timestep 1000 * strength
    standard   sd1's noise-to-signal ratio times the model's gain (default)
    perceptual the noise that changes pictures by this share of calibration.FULL, from the model's
               calibration curve: measured change is linear in strength, and the same on all models
"""

from __future__ import annotations

import math
from bisect import bisect_right
from difflib import get_close_matches
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from partway.errors import InvalidRequest, Uncalibrated, UnknownName
from partway.fields import share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from partway.calibration import Curve

DEFAULT_STRENGTH = 0.5
DEFAULT_DIAL = "standard"

# Outside this range sd1 runs linearly on to its ends: SD 1.x itself has no level below
# nsr 0.029 and none above 14.6, so its table says nothing there.
SD1_LINEAR_BELOW = 0.05
SD1_LINEAR_ABOVE = 0.95

LEAST = 1e-30  # noise fraction of the smallest strength above 0; float32 would lose less


def nsr_of(noise_fraction: float) -> float:
    """Noise-to-signal ratio sigma / alpha, 0 … infinity, of a noise fraction in [0, 1]."""
    return math.inf if noise_fraction >= 1.0 else noise_fraction / (1.0 - noise_fraction)


def noise_fraction_of(nsr: float) -> float:
    """Noise fraction in [0, 1] of a noise-to-signal ratio in [0, infinity]."""
    return 1.0 if math.isinf(nsr) else nsr / (1.0 + nsr)


@cache
def sd1_log_nsr() -> tuple[float, ...]:
    """Log noise-to-signal ratio of Stable Diffusion 1.x at timesteps 0 … 999.

    The scaled-linear table of the CompVis configuration: beta is the square of 1000 evenly spaced
    numbers from sqrt(0.00085) to sqrt(0.012); alphas_cumprod is the running product of 1 - beta.
    """
    low, high, count = math.sqrt(0.00085), math.sqrt(0.012), 1000
    betas = ((low + (high - low) * i / (count - 1)) ** 2 for i in range(count))
    products = accumulate(betas, lambda product, beta: product * (1.0 - beta), initial=1.0)
    return tuple(0.5 * math.log((1.0 - p) / p) for p in list(products)[1:])


def _sd1_inner(strength: float) -> float:
    """Noise fraction at timestep 1000 * strength, interpolated in log nsr; 0 < strength < 0.999."""
    table = sd1_log_nsr()
    position = strength * len(table)
    index = min(int(position), len(table) - 2)
    log_nsr = table[index] + (position - index) * (table[index + 1] - table[index])
    return noise_fraction_of(math.exp(log_nsr))


def _sd1(strength: float, gain: float = 1.0, curve: Curve | None = None) -> float:
    """Dial `sd1`; gain and curve are ignored."""
    del gain, curve
    if strength < SD1_LINEAR_BELOW:
        return strength / SD1_LINEAR_BELOW * _sd1_inner(SD1_LINEAR_BELOW)
    if strength > SD1_LINEAR_ABOVE:
        edge = _sd1_inner(SD1_LINEAR_ABOVE)
        share = (strength - SD1_LINEAR_ABOVE) / (1.0 - SD1_LINEAR_ABOVE)
        return edge + share * (1.0 - edge)
    return _sd1_inner(strength)


def _standard(strength: float, gain: float, curve: Curve | None = None) -> float:
    """Dial `standard`: sd1's noise-to-signal ratio times the model's gain."""
    del curve
    return noise_fraction_of(nsr_of(_sd1(strength)) * gain)


def _noise(strength: float, gain: float, curve: Curve | None = None) -> float:
    """Dial `noise`: the number is the noise fraction; gain and curve are ignored."""
    del gain, curve
    return strength


def _perceptual(strength: float, gain: float, curve: Curve | None = None) -> float:
    """Dial `perceptual`: the level that changes pictures by this share; the gain is ignored."""
    del gain
    if curve is None:
        raise Uncalibrated
    return curve.noise_fraction(strength)


DIALS: Mapping[str, Callable[[float, float, Curve | None], float]] = {
    "standard": _standard,
    "sd1": _sd1,
    "noise": _noise,
    "perceptual": _perceptual,
}


def check_strength(strength: float) -> float:
    """Return `strength` as a float in [0, 1]; InvalidRequest for anything else."""
    if not 0.0 <= strength <= 1.0:  # also false for NaN
        raise InvalidRequest(
            f"strength is {strength}, allowed is 0 … 1: 0 keeps the source, 1 ignores it; "
            "try --strength 0.45"
        )
    return float(strength)


def check_gain(gain: float) -> float:
    """Return `gain` if it is positive and finite; InvalidRequest otherwise."""
    if not 0.0 < gain < math.inf:
        raise InvalidRequest(f"gain is {gain}, allowed is a positive number")
    return gain


def start_noise_fraction(
    strength: float, dial: str = DEFAULT_DIAL, gain: float = 1.0, curve: Curve | None = None
) -> float:
    """Noise fraction at which an edit of `strength` starts.

    strength  0 … 1
    dial      a name in DIALS
    gain      > 0, the model's factor on the noise-to-signal ratio (only dial `standard` uses it)
    curve     the model's calibration (only dial `perceptual` uses it); Uncalibrated without

    Returns exactly 0.0 at strength 0 and exactly 1.0 at strength 1, for every dial and model.
    """
    if dial not in DIALS:
        raise UnknownName("dial", dial, DIALS)
    check_gain(gain)
    strength = check_strength(strength)
    if strength in {0.0, 1.0}:
        return strength
    # However small or large strength and gain are: some noise, but not only noise.
    return min(max(DIALS[dial](strength, gain, curve), LEAST), math.nextafter(1.0, 0.0))


def strength_at(
    noise_fraction: float,
    dial: str = DEFAULT_DIAL,
    gain: float = 1.0,
    curve: Curve | None = None,
) -> float:
    """The strength that starts at `noise_fraction`: the inverse of start_noise_fraction.

    Exact to 1e-9 in strength (bisection on a monotone dial).
    """
    if not 0.0 <= noise_fraction <= 1.0:
        raise InvalidRequest(f"noise fraction is {noise_fraction}, allowed is 0 … 1")
    if noise_fraction in {0.0, 1.0}:
        return noise_fraction
    low, high = 0.0, 1.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        if start_noise_fraction(middle, dial, gain, curve) < noise_fraction:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# Words for strengths: on dial `perceptual` of a calibrated model, and on dial `standard` of others.
WORDS: Mapping[str, tuple[float, float]] = {
    "subtle": (0.15, 0.3),
    "balanced": (0.3, 0.5),
    "strong": (0.6, 0.75),
    "reimagine": (0.85, 0.9),
}
DIGITS = 4  # of a strength that was computed and not asked for


def strength_or_word(text: str) -> float | str:
    """A strength as people write it: 0.45, 0,45, 45%, or a word of WORDS; InvalidRequest else."""
    if text in WORDS:
        return text
    near = get_close_matches(text, WORDS, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else "; try --strength 0.45"
    want = "a number from 0 (keeps the source) to 1 (ignores it), or " + ", ".join(WORDS)
    return share("strength", text, want + meant)


def named_strength(
    word: str, dial: str = DEFAULT_DIAL, gain: float = 1.0, curve: Curve | None = None
) -> float:
    """The strength on `dial` that a word of WORDS means on a model, to four digits."""
    if word not in WORDS:
        raise UnknownName("strength", word, WORDS)
    share, standard = WORDS[word]
    if curve is None:
        start = start_noise_fraction(standard, "standard", gain)
    else:
        start = curve.noise_fraction(share)
    return round(strength_at(start, dial, gain, curve), DIGITS)


BANDS = (
    (0.0, "your picture, unchanged"),
    (0.3, "retouch: texture and light change, shapes stay"),
    (0.55, "restyle: composition and pose stay"),
    (0.85, "reinterpret: loose structure stays"),
    (1.0, "reimagine: little of the source is left"),
)


def band(strength: float) -> str:
    """What to expect at `strength` on a dial with measured gain, in words."""
    if strength == 1.0:
        return "text-to-image: the source is ignored"
    edges = [edge for edge, _ in BANDS]
    return BANDS[0][1] if strength == 0.0 else BANDS[bisect_right(edges, strength)][1]
