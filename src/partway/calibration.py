"""Calibration: how far a model changes pictures at each noise level, as a curve one can read back.

Change is 1 - kept structure (partway.fidelity): 0 is the same picture, 1 as different as two
unrelated ones. Many pictures measured at a few levels become a curve in two steps,

    pool adjacent violators     the nearest rising means, in least squares, to noisy ones
    monotone cubic              smooth between the knots, without overshoot

and the curve turns a *share* of FULL into the noise fraction that changes pictures by as much. Dial
`perceptual` reads strength as that share: measured change is linear in it, and the same on every
calibrated model. The curve is pure Python, so that reading a plan stays cheap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from partway.errors import InvalidRequest
from partway.fields import number, pair
from partway.strength import start_noise_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

Knots: TypeAlias = tuple[tuple[float, float], ...]

# Change that share 1 stands for, on all models alike. Text-to-image goes beyond it, on some little
# and on others far (0.86 and 1.01 were measured): the dial keeps to it up to LINEAR, and what is
# left up to pure noise is passed in the rest.
FULL = 0.85
LINEAR = 0.95  # of share
# Where pictures are measured: close together where models change them fastest.
LEVELS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.575, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
MAX_KNOTS = 32
LEAST_GAP = 0.004  # of share between two knots: nearer ones are measuring error
LEAST_SPAN = 0.2  # of change from the least noise to the most: below, a dial would only read noise

# Kept structure that the words for strengths promise on dial `standard` (strength.BANDS): texture
# changes at 0.3, composition stays at 0.5, loose structure at 0.7 … 0.85.
PROMISED = {0.3: 0.85, 0.5: 0.72, 0.7: 0.5, 0.85: 0.25}
# Of these, what no gain may give up for the others: the same composition (fidelity.BANDS) up to
# 0.5, and a little more, since pictures differ from those it was fitted on.
COMPOSITION = (0.5, 0.71)


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising curve from share of change to noise fraction.

    knots  (share, noise fraction), both strictly rising, from (0, 0) to (1, 1)
    full   change that share 1 stands for: FULL, or less of a model that cannot change as much
    """

    knots: Knots
    full: float = 1.0

    def __post_init__(self) -> None:
        first_last = (self.knots[:1], self.knots[-1:])
        if first_last != (((0.0, 0.0),), ((1.0, 1.0),)):
            raise InvalidRequest("a calibration curve runs from (0, 0) to (1, 1)")
        if not all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(self.knots)):
            raise InvalidRequest(f"a calibration curve rises everywhere, got {self.knots}")
        if not self.full > 0.0:
            raise InvalidRequest(f"full change is {self.full}, want more than 0")

    @property
    def flat(self) -> tuple[float, ...]:
        """Its knots' numbers in turn."""
        return tuple(value for knot in self.knots for value in knot)

    def noise_fraction(self, share: float) -> float:
        """The level that changes pictures by this share, both 0 … 1 and exact at both ends."""
        shares = [knot[0] for knot in self.knots]
        i = min(max(bisect_right(shares, share) - 1, 0), len(shares) - 2)
        (u0, f0), (u1, f1) = self.knots[i], self.knots[i + 1]
        width, t = u1 - u0, (share - u0) / (u1 - u0)
        slopes = _slopes(self.knots)
        return (  # cubic Hermite interpolation
            f0 * (1 + 2 * t) * (1 - t) ** 2
            + f1 * t * t * (3 - 2 * t)
            + width * (slopes[i] * t * (1 - t) ** 2 - slopes[i + 1] * t * t * (1 - t))
        )

    def share(self, noise_fraction: float) -> float:
        """The inverse of noise_fraction, exact to 1e-9."""
        low, high = 0.0, 1.0
        while high - low > 1e-10:
            middle = (low + high) / 2
            if self.noise_fraction(middle) < noise_fraction:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def change(self, noise_fraction: float) -> float:
        """Change to expect at a level, up to `full`: pure noise may give more."""
        return self.full * self.share(noise_fraction)

    def share_of_change(self, change: float) -> float:
        """The share, 0 … 1, at which to expect a change; the nearest where there is none."""
        return min(max(change / self.full, 0.0), 1.0)


def _slopes(knots: Knots) -> list[float]:
    """Slopes at the knots: weighted harmonic means of the neighbours' (Fritsch & Butland 1984).

    Each is at most three times the lesser of its neighbours, so no piece turns back (Fritsch &
    Carlson 1980); the ends take the slope of their own piece.
    """
    widths = [b[0] - a[0] for a, b in pairwise(knots)]
    rises = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(knots)]
    inner = [
        3 * (h0 + h1) / ((2 * h1 + h0) / d0 + (h1 + 2 * h0) / d1)
        for h0, h1, d0, d1 in zip(widths, widths[1:], rises, rises[1:], strict=False)
    ]
    return [rises[0], *inner, rises[-1]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What measuring a model gave.

    curve     for dial `perceptual`
    gain      for dial `standard`: with it the promised structure is kept, as nearly as can be
    levels    noise fractions measured; change, spread: mean and standard deviation over pictures
    pictures  how many there were
    """

    curve: Curve
    gain: float
    levels: tuple[float, ...]
    change: tuple[float, ...]
    spread: tuple[float, ...]
    pictures: int

    def stored(self) -> dict[str, Any]:
        """As plain data, for a JSON file."""
        return {
            "curve": [list(knot) for knot in self.curve.knots],
            "full": self.curve.full,
            "gain": self.gain,
            "pictures": self.pictures,
            "measured": [
                list(row) for row in zip(self.levels, self.change, self.spread, strict=True)
            ],
        }


def curve_from(stored: object) -> Curve:
    """The curve of stored data; InvalidRequest where it is none."""
    try:
        values: Mapping[str, Any] = dict(stored)  # type: ignore[call-overload]
        return Curve(
            knots_from(values["curve"]),
            number("full", values["full"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"a calibration cannot be understood: {error!r}") from error


def knots_from(values: Iterable[Any]) -> Knots:
    """Knots of a curve from pairs of numbers."""
    return tuple(pair("curve", value, number) for value in values)


def paired(flat: Sequence[float]) -> Knots:
    """Knots of a curve from their numbers in turn, as EditRequest holds them."""
    if len(flat) % 2 or len(flat) > 2 * MAX_KNOTS:
        raise InvalidRequest(
            f"curve has {len(flat)} numbers, want share and noise fraction of 2 … {MAX_KNOTS} knots"
        )
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def rising(values: Sequence[float]) -> NDArray[np.float64]:
    """The nearest non-falling sequence in least squares, by pooling adjacent violators."""
    means: list[float] = []
    counts: list[int] = []
    for value in values:
        means.append(float(value))
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            count = counts[-2] + counts[-1]
            mean = (means[-2] * counts[-2] + means[-1] * counts[-1]) / count
            means[-2:], counts[-2:] = [mean], [count]
    return np.repeat(means, counts)


def fit(levels: Sequence[float], changes: NDArray[np.floating[Any]]) -> Calibration:
    """The calibration that measured changes give.

    levels   rising noise fractions, the last one 1
    changes  (pictures, levels), 1 - kept structure

    InvalidRequest where the model hardly changes pictures: no dial could be read from that.
    """
    if list(levels) != sorted(set(levels)) or levels[-1] != 1.0 or len(levels) < 3:
        raise InvalidRequest(f"levels are {levels}, want at least three, rising, the last one 1")
    means = changes.mean(axis=0)
    smooth = rising(means.tolist())
    least, most = float(smooth[0]), float(smooth[-1])
    if most - least < LEAST_SPAN:
        raise InvalidRequest(
            f"from least to most noise the pictures changed from {least:.2f} to {most:.2f}: too "
            "little for a dial; try other pictures, or prompts that name something else"
        )
    full = min(most, FULL)
    knots = [(0.0, 0.0)]
    for level, change in zip(levels, smooth, strict=True):
        share = float(change) / full
        if knots[-1][0] + LEAST_GAP <= share <= LINEAR - LEAST_GAP and level > knots[-1][1]:
            knots.append((round(share, 5), float(level)))
    knots.append((LINEAR, round(float(np.interp(LINEAR * full, smooth, levels)), 5)))
    curve = Curve((*knots, (1.0, 1.0)), round(full, 4))
    return Calibration(
        curve=curve,
        gain=fit_gain(levels, 1.0 - smooth),
        levels=tuple(levels),
        change=tuple(round(float(mean), 4) for mean in means),
        spread=tuple(round(float(each), 4) for each in changes.std(axis=0)),
        pictures=len(changes),
    )


def fit_gain(levels: Sequence[float], structure: NDArray[np.floating[Any]]) -> float:
    """The gain with which dial `standard` keeps most nearly what is PROMISED, in least squares.

    Only gains that keep the composition are asked, where there are any.
    """

    def kept(gain: float, strengths: Iterable[float]) -> NDArray[np.float64]:
        starts = [start_noise_fraction(s, "standard", gain) for s in strengths]
        return np.interp(starts, levels, structure)

    def error(gain: float) -> float:
        return float(np.square(kept(gain, PROMISED) - np.array(list(PROMISED.values()))).sum())

    gains = [round(float(gain), 3) for gain in np.geomspace(0.2, 5.0, 400)]
    strength, least = COMPOSITION
    holding = [gain for gain in gains if kept(gain, [strength])[0] >= least]
    return min(holding or gains, key=error)
