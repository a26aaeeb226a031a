"""Numbers and pages about pictures, in NumPy."""

import numpy as np
from PIL import Image
from scipy import ndimage


def shrink(images: np.ndarray, side: int) -> np.ndarray:
    """(B, s, s, 3) uint8 -> (B, 3, side, side) in [-1, 1], area means."""
    size = (side, side)
    small = [Image.fromarray(p).resize(size, Image.Resampling.BOX) for p in images]
    return np.stack([np.asarray(p) for p in small]).transpose(0, 3, 1, 2) / np.float32(127.5) - 1


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over pictures of the RMS difference of 16 x 16 block means."""
    difference = shrink(a, 16) - shrink(b, 16)
    return round(float(np.sqrt((difference**2).mean(axis=(1, 2, 3))).mean()), 4)


def nearest(images: np.ndarray, library: np.ndarray) -> np.ndarray:
    """RMS difference at 32 px to the nearest row of `library` (N, 3072), for each image."""
    rows = shrink(images, 32).reshape(len(images), -1)
    squares = (rows**2).sum(1)[:, None] + (library**2).sum(1)[None] - 2 * rows @ library.T
    return np.sqrt(np.maximum(squares.min(1), 0) / rows.shape[1])


def spread(values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"p5": round(low, 4), "median": round(middle, 4), "p95": round(high, 4)}


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two pictures (H, W, 3) in [-1, 1], Gaussian window of deviation 1.5
    (Wang et al. 2004).
    """
    blur = lambda x: ndimage.gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)  # noqa: E731
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def contact(rows: np.ndarray, side: int) -> Image.Image:
    """(rows, columns, s, s, 3) -> one picture, every cell `side` pixels."""
    cells = np.stack([
        np.stack([np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.LANCZOS))
                  for p in row])
        for row in rows
    ])  # fmt: skip
    page = cells.transpose(0, 2, 1, 3, 4)
    return Image.fromarray(page.reshape(len(rows) * side, -1, 3))
