"""A plain ground stays plain: faint paint that an edit left on it is taken back.

Drawings mostly lie on one even colour. Where a small model is unsure it leaves pale stains there,
and nobody asked for them; what a prompt does ask for is no pale stain. So on the source's ground

    result += w * (colour - result),    w = min(1, (tolerance / d)²)

d is the result's distance from the ground's colour, root mean square over the channels and over the
ground within a small window: faint paint goes, clear paint stays (partway.windows). The tolerance
is the model's own (Profile.plain_ground) and shrinks to 0 as the start level nears pure noise,
where nothing of a source is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from partway.windows import box_blur, fading, faint, reach_of

if TYPE_CHECKING:
    from partway.denoiser import Array

Mask = NDArray[np.bool_]

EVEN = 0.1  # of the range -1 … 1: colours this near to the ground's are the ground
LEAST_BORDER = 0.25  # of the border that must be ground
FULL_UNTIL = 0.75  # noise fraction of the start above which the tolerance shrinks
WINDOW = 1 / 128  # of the long side


@dataclass(frozen=True, eq=False)
class Ground:
    """The even surroundings of a drawing.

    colour  (3,) in [-1, 1]
    where   (H, W)
    """

    colour: Array
    where: Mask

    def beside(self, where: Mask) -> Ground:
        """The same, and what is painted anew (H, W): nothing of a source lies there."""
        return replace(self, where=self.where | where)

    def settle(self, result: Array, tolerance: float, noise_fraction: float | Array) -> Array:
        """Take faint paint back; pictures (3, H, W) in about [-1, 1].

        tolerance       distance from the ground up to which all paint goes
        noise_fraction  of the start, one for all or (H, W)
        """
        near = fading(tolerance, noise_fraction, FULL_UNTIL)
        if np.max(near) <= 0.0:
            return result
        paint = result - self.colour[:, None, None]
        radius = reach_of(self.where.shape, WINDOW)
        inside = self.where.astype(np.float32)
        square = box_blur(np.einsum("chw,chw->hw", paint, paint) / 3 * inside, radius)
        square /= np.maximum(box_blur(inside, radius), 1e-6)
        return (result - inside * faint(square, near) * paint).astype(np.float32)


def plain_ground(source: Array) -> Ground | None:
    """The ground of a picture (3, H, W) in [-1, 1]; None where it has none.

    Its colour is the median of the border, and it is what of that colour touches the border: white
    that an outline encloses is no ground.
    """
    rows, columns = source[:, [0, -1], :], source[:, :, [0, -1]]
    border = np.concatenate([rows.reshape(3, -1), columns.reshape(3, -1)], axis=1)
    colour = np.median(border, axis=1).astype(np.float32)
    even = np.abs(source - colour[:, None, None]).max(axis=0) < EVEN
    if (np.abs(border - colour[:, None]).max(axis=0) < EVEN).mean() < LEAST_BORDER:
        return None
    return Ground(colour, touching_border(even))


def touching_border(mask: Mask) -> Mask:
    """The parts of a mask (H, W) from which a way inside it leads to the border.

    Runs of a row that meet one in the row above are joined to it, and those at the border to run 0,
    which is what lies outside. Joining halves what is left to join, so mazes take no longer.
    """
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    run = np.cumsum(begins).reshape(mask.shape)  # of each position of the mask, from 1
    meets = mask[1:] & mask[:-1]
    meets[:, 1:] &= ~meets[:, :-1]  # once for each two runs
    edges = (run[at][mask[at]] for at in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]))
    border = np.concatenate(list(edges))
    one = np.concatenate([np.zeros_like(border), run[:-1][meets]])
    other = np.concatenate([border, run[1:][meets]])
    least = np.arange(int(begins.sum()) + 1, dtype=np.intp)  # run that each is joined to
    while (least[one] != least[other]).any():
        ours, theirs = least[one], least[other]
        np.minimum.at(least, np.maximum(ours, theirs), np.minimum(ours, theirs))
        while (least != least[least]).any():
            least = least[least]
    return mask & (least[run] == 0)
