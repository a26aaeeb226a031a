"""EditRequest: everything that decides the pixels, and nothing else. Frozen and validated.

Types, ranges and names are checked when it is made; what depends on the registries above it (the
sampler, the model and its defaults) is resolved by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from partway.calibration import Curve, paired
from partway.errors import InvalidRequest, UnknownName
from partway.fields import data, number, pair, several, text, truth, whole
from partway.geometry import Extent
from partway.guidance import Guidance
from partway.margins import Margins, margins_in_pixels
from partway.noise import check_seed
from partway.plan import check_steps
from partway.spacings import get_spacing
from partway.strength import DEFAULT_DIAL, DEFAULT_STRENGTH, DIALS, check_gain, check_strength

EXTEND_FIRST = "only what is added is painted then; extend first, then edit the result"
DEFAULT_EXTENDING = 0.85  # strength where a picture is extended: what is around it is only hinted
DEFAULT_SAMPLER = "dpmpp_2m"
DEFAULT_SPACING = "uniform"
MAX_PROMPT = 20_000  # characters
MAX_SIDE = 16_384
MAX_REFERENCES = 8
MAX_LORAS = 8
MAX_REACH = 1024  # pixels a mask grows or fades by
MAX_SCALE = 16


FILLS = ("source", "blur", "noise")
PRECISIONS = ("auto", "bf16", "fp32")
RUNTIMES = ("auto", "openvino")
FOLLOWED = ("diffusers",)  # dialects that are followed to the last digit
OPTIONAL = {
    "dialect", "full_steps", "gain", "guidance_scale", "mask", "mask_feather", "model", "sampler",
    "scale", "source", "steps", "strength", "strength_map",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """One picture to make.

    prompt             what the result should show; may be empty
    source             the bytes of an image file, or None for text-to-image
    strength           0 … 1; None means 0.5 with a source, 0.85 where it is extended
    dial               "standard", "sd1", "noise" or "perceptual": how strength is read
    gain, curve        own calibration for the dials that read one (partway.calibration), the curve
                       as share and noise fraction of each knot in turn; None means the model's
    negative_prompt    what guidance pushes away from
    steps              exactly this many intervals; or
    full_steps         the density of a full run of so many (None: the model's own number)
    sampler, spacing   registered names; None as the sampler means the model's own
    guidance_scale     1 is off; None means the model's own
    guidance_interval  noise fractions between which guidance acts
    true_cfg_scale     weight of the prompt against the negative one beside a guidance that the
                       network has built in (FLUX.1 dev), as diffusers calls it; 1 is off
    seed               0 … 2³² - 1
    size               (width, height) of a text-to-image result; None means the model's native
    working_multiple   work at 1 … 4 times the model's native size
    model              name or path of a checkpoint; None chooses by the source
    precision          "auto", "bf16" or "fp32" of the denoising network
    runtime            "auto" is the model's own; "openvino" converts a checkpoint's networks for
                       the CPU, see partway.checkpoints.converted
    references         bytes of image files whose manner the result takes, instead of a prompt
    keep_colors        with references: only luma changes, hues stay the source's (fading
                       towards strength 1)
    recolor            with references: their palette is taken whole at any strength above 0, only
                       structure and texture follow the dial
    loras              "FILE.safetensors:0.8" each: adapters added to the checkpoint, with weights
    dialect            "diffusers": all as its image-to-image pipeline does it, with a mask its
                       inpainting one, see edits.as_diffusers; strength and steps are then theirs
    strength_map       bytes of a grey picture of the source's size: white is edited with the whole
                       strength, black not at all, grey with its share
    mask               bytes of a picture of the source's size: white is repainted, black stays
    alpha_mask         the source's own transparency is the mask: what shows through is repainted
    mask_invert        black is repainted instead
    mask_grow          pixels by which the mask grows; negative shrinks it
    mask_feather       pixels over which the result fades into the source, to both sides of the
                       mask's edge; None is 1/64 of the long side
    fill               what repainting starts from: "source", "blur", the surroundings continued,
                       or "noise"
    only_masked        work on the masked part alone, at the model's full resolution
    padding            pixels of surroundings seen around it
    extend             pixels painted onto the source's left, top, right and bottom: the result is
                       larger, and the source in it stays. Of a mask's fields mask_feather (all of
                       it outside the source), fill, only_masked and padding hold for it
    scale              the result is so many times as wide and high as the source, above 1 … 16;
                       detail is added in tiles: partway.edits.upscale
    """

    prompt: str = ""
    source: bytes | None = field(default=None, repr=False)
    strength: float | None = None
    dial: str = DEFAULT_DIAL
    gain: float | None = None
    curve: tuple[float, ...] | None = None
    negative_prompt: str = ""
    steps: int | None = None
    full_steps: int | None = None
    sampler: str | None = None
    spacing: str = DEFAULT_SPACING
    guidance_scale: float | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    true_cfg_scale: float = 1.0
    seed: int = 1
    size: tuple[int, int] | None = None
    working_multiple: int = 1
    model: str | None = None
    precision: str = "auto"
    runtime: str = "auto"
    references: tuple[bytes, ...] = field(default=(), repr=False)
    keep_colors: bool = False
    recolor: bool = False
    loras: tuple[str, ...] = ()
    dialect: str | None = None
    strength_map: bytes | None = field(default=None, repr=False)
    mask: bytes | None = field(default=None, repr=False)
    alpha_mask: bool = False
    mask_invert: bool = False
    mask_grow: int = 0
    mask_feather: float | None = None
    fill: str = "source"
    only_masked: bool = False
    padding: int = 32
    extend: Margins | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        self._normalise()
        self._check_names()
        if self.strength is not None:
            check_strength(self.strength)
        if self.gain is not None:
            check_gain(self.gain)
        check_seed(self.seed)
        scale = 1.0 if self.guidance_scale is None else self.guidance_scale
        Guidance(scale, self.guidance_interval)
        Guidance(self.true_cfg_scale)
        if self.steps is not None and self.full_steps is not None:
            raise InvalidRequest("give --steps or --full-steps, not both")
        if self.steps is not None:
            check_steps("steps", self.steps)
        if self.full_steps is not None:
            check_steps("full-steps", self.full_steps)
        for name, words in (("prompt", self.prompt), ("negative prompt", self.negative_prompt)):
            if len(words) > MAX_PROMPT:
                raise InvalidRequest(
                    f"the {name} has {len(words)} characters, allowed are {MAX_PROMPT}"
                )
        if not 1 <= self.working_multiple <= 4:
            raise InvalidRequest(f"working multiple is {self.working_multiple}, allowed is 1 … 4")
        self._check_references()
        self._check_followed()
        self._check_masks()
        self._check_scale()
        if self.size is not None:
            self._check_size(Extent(*self.size))

    def _check_references(self) -> None:
        if len(self.references) > MAX_REFERENCES:
            raise InvalidRequest(
                f"{len(self.references)} style pictures, allowed are {MAX_REFERENCES}"
            )
        if len(self.loras) > MAX_LORAS:
            raise InvalidRequest(f"{len(self.loras)} LoRA, allowed are {MAX_LORAS}")
        if self.keep_colors and not self.references:
            raise InvalidRequest("--keep-colors needs a style picture; try --style watercolour")
        if self.recolor and not self.references:
            raise InvalidRequest("--recolor needs a style picture; try --style watercolour")
        if self.recolor and self.keep_colors:
            raise InvalidRequest("give --recolor or --keep-colors, not both")

    def _check_followed(self) -> None:
        if self.dialect is None:
            return
        if self.dialect not in FOLLOWED:
            raise UnknownName("dialect that is followed exactly", self.dialect, FOLLOWED)
        own = {
            "dial": (self.dial, DEFAULT_DIAL),
            "gain": (self.gain, None),
            "curve": (self.curve, None),
            "full-steps": (self.full_steps, None),
            "spacing": (self.spacing, DEFAULT_SPACING),
            "guidance-interval": (self.guidance_interval, (0.0, 1.0)),
            "working-multiple": (self.working_multiple, 1),
            "references": (self.references, ()),
            "strength map": (self.strength_map, None),
            "alpha mask": (self.alpha_mask, False),
            "mask grow": (self.mask_grow, 0),
            "mask feather": (self.mask_feather, None),
            "fill": (self.fill, "source"),
            "only masked": (self.only_masked, False),
            "extend": (self.extend, None),
        }
        for name, (value, default) in own.items():
            if value != default:
                raise InvalidRequest(
                    f"{name} is not {self.dialect}'s: leave it out where that is followed exactly"
                )

    def _check_masks(self) -> None:
        """InvalidRequest for masks that exclude each other or have nothing to lie on."""
        kinds = {
            "a strength map": self.strength_map is not None,
            "a mask": self.mask is not None,
            "the alpha mask": self.alpha_mask,
            "margins to extend": self.extend is not None,
        }
        given = [kind for kind, there in kinds.items() if there]
        if len(given) > 1:
            advice = "" if self.extend is None else f": {EXTEND_FIRST}"
            raise InvalidRequest(f"give {' or '.join(given)}, not both{advice}")
        if given and self.source is None:
            raise InvalidRequest(f"{given[0]} needs a source to lie on: give a picture to edit")
        changed = {"mask invert": self.mask_invert, "mask grow": self.mask_grow != 0}
        if self.extend is None:
            changed |= {
                "mask feather": self.mask_feather is not None,
                "fill": self.fill != "source",
                "only masked": self.only_masked,
            }
        masked = self.mask is not None or self.alpha_mask
        for name, there in changed.items():
            if there and not masked:
                raise InvalidRequest(f"{name} is for masks: give --mask FILE with it")
        ranges = {
            "mask grow": (self.mask_grow, -MAX_REACH, MAX_REACH),
            "mask feather": (self.mask_feather or 0.0, 0, MAX_REACH),
            "padding": (self.padding, 0, MAX_SIDE),
        }
        if self.extend is not None:
            ranges |= {name: (each, 0, MAX_SIDE) for name, each in self.extend._asdict().items()}
        for name, (value, least, most) in ranges.items():
            if not least <= value <= most:
                raise InvalidRequest(f"{name} is {value:g}, allowed is {least} … {most} pixels")

    def _check_scale(self) -> None:
        """InvalidRequest for a scale that enlarges nothing, or goes with what it cannot."""
        if self.scale is None:
            return
        if not 1.0 < self.scale <= MAX_SCALE:
            raise InvalidRequest(
                f"scale is {self.scale:g}, allowed is above 1 … {MAX_SCALE}: an upscale enlarges; "
                "try -x 2"
            )
        if self.source is None:
            raise InvalidRequest("scale needs a source to enlarge: give a picture")
        others = {
            "a strength map": self.strength_map is not None,
            "a mask": self.mask is not None or self.alpha_mask,
            "margins to extend": self.extend is not None,
            "a style picture": bool(self.references),
            "a dialect that is followed exactly": self.dialect is not None,
        }
        for name, there in others.items():
            if there:
                raise InvalidRequest(f"scale cannot go with {name}: leave one of them out")

    def _normalise(self) -> None:
        """Bring every field to its own type, so that equal requests are equal; or refuse it."""
        kinds = {
            text: (
                "prompt",
                "negative_prompt",
                "dial",
                "sampler",
                "spacing",
                "precision",
                "runtime",
                "model",
                "dialect",
                "fill",
            ),
            whole: ("steps", "full_steps", "seed", "working_multiple", "mask_grow", "padding"),
            number: (
                "strength",
                "gain",
                "guidance_scale",
                "true_cfg_scale",
                "mask_feather",
                "scale",
            ),
            data: ("source", "strength_map", "mask"),
            truth: ("keep_colors", "recolor", "alpha_mask", "mask_invert", "only_masked"),
        }
        for convert, names in kinds.items():
            for name in names:
                value = getattr(self, name)
                if value is not None or name not in OPTIONAL:
                    object.__setattr__(self, name, convert(name.replace("_", " "), value))
        if self.curve is not None:
            flat = several("curve", self.curve, number)
            object.__setattr__(self, "curve", flat)
            Curve(paired(flat))
        object.__setattr__(self, "loras", several("loras", self.loras, text))
        object.__setattr__(self, "references", several("references", self.references, data))
        low_high = pair("guidance interval", self.guidance_interval, number)
        object.__setattr__(self, "guidance_interval", low_high)
        if self.size is not None:
            object.__setattr__(self, "size", pair("size", self.size, whole))
        if self.extend is not None:
            object.__setattr__(self, "extend", margins_in_pixels(self.extend))

    def _check_names(self) -> None:
        """UnknownName for a name that no table below this module holds."""
        if self.dial not in DIALS:
            raise UnknownName("dial", self.dial, DIALS)
        if self.precision not in PRECISIONS:
            raise UnknownName("precision", self.precision, PRECISIONS)
        if self.runtime not in RUNTIMES:
            raise UnknownName("runtime", self.runtime, RUNTIMES)
        if self.fill not in FILLS:
            raise UnknownName("fill", self.fill, FILLS)
        get_spacing(self.spacing)

    def _check_size(self, size: Extent) -> None:
        if self.source is not None:
            raise InvalidRequest("size is for text-to-image; an edit keeps its source's size")
        if min(size) < 1 or max(size) > MAX_SIDE:
            raise InvalidRequest(f"size is {size}, each side must be 1 … {MAX_SIDE}")

    @property
    def effective_strength(self) -> float:
        """The strength that acts: 1 without a source, the default where none was given."""
        if self.source is None:
            return 1.0
        if self.strength is not None:
            return self.strength
        return DEFAULT_STRENGTH if self.extend is None else DEFAULT_EXTENDING

    def with_(self, **changes: Any) -> EditRequest:
        """A copy with some fields changed, validated again."""
        return replace(self, **changes)
