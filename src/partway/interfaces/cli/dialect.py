"""--as: a strength and steps as another program reads them, brought into a request of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partway.dialects import Setting, get_dialect, kind_of, parse_value, start_of
from partway.errors import InvalidRequest, UserError
from partway.families import settled
from partway.outline import plan_request
from partway.request import DEFAULT_SPACING, FOLLOWED, EditRequest

if TYPE_CHECKING:
    from partway.families import Profile
    from partway.geometry import Extent

INPAINT = "diffusers-inpaint"


class Said:
    """What was typed for a program.

    told  lines that say what it came to, one per model it was used on
    """

    def __init__(self, tool: str, value: float | str | None, *, has_source: bool = True) -> None:
        dialect = get_dialect(tool)
        if not has_source:
            raise InvalidRequest("--as needs a source: without one strength has no effect")
        if isinstance(value, str):
            value = parse_value(dialect, value)
        self._given = value is not None
        if value is None:
            value = dialect.default
        if value is None:
            raise InvalidRequest(f"--as {tool} needs a strength; try --strength 0.45")
        self._tool, self._value = tool, value
        self.told: list[str] = []

    def on(
        self, request: EditRequest, profile: Profile | None, extent: Extent | None = None
    ) -> EditRequest:
        """The request that starts at the program's level on a model and runs its evaluations.

        The program's rule is used on the model's own levels. Steps between are spaced as the
        request says; but diffusers, on its own checkpoints, is followed to the last digit. With a
        mask its inpainting pipelines are.

        extent  the source's size, where it is known
        """
        assert profile is not None  # noqa: S101  one is chosen wherever the strength is not ours
        if request.full_steps is not None:
            raise InvalidRequest("give --as or --full-steps, not both: --steps is the program's")
        if request.dial != EditRequest().dial:
            raise InvalidRequest("give --as or --dial, not both")
        rule = _rule(self._tool, request)
        if not self._given:
            self._value = get_dialect(rule).default or self._value
        steps = profile.default_steps if request.steps is None else request.steps
        spacing = None if request.spacing == DEFAULT_SPACING else request.spacing
        exact = self._exactly(request, profile, steps, extent)
        if exact is not None:
            return exact
        sampler = self._sampler(request, profile)
        setting = Setting(steps, kind_of(profile.schedule, profile.family), sampler, spacing)
        start = start_of(rule, self._value, setting)
        line = f"{self._value:g} in {self._tool} with {steps} steps starts at "
        line += f"{100 * start.noise_fraction:.1f} % noise and runs {start.evaluations}"
        self.told.append(line)
        return request.with_(
            strength=start.noise_fraction, dial="noise", steps=max(start.evaluations, 1)
        )

    def _sampler(self, request: EditRequest, profile: Profile) -> str | None:
        """What the rule is read for; PNDM where that is diffusers' and the checkpoint's own."""
        if request.sampler is None and self._tool in FOLLOWED and profile.checkpoint is not None:
            scheduler = profile.checkpoint.configs["scheduler"].get("_class_name")
            if scheduler == "PNDMScheduler":
                return "pndm"
        return settled(request, profile).sampler

    def _exactly(
        self, request: EditRequest, profile: Profile, steps: int, extent: Extent | None
    ) -> EditRequest | None:
        """The request followed to the last digit, where the program and the model allow it."""
        tool = FOLLOWED[0]
        if _rule(self._tool, request) != _rule(tool, request) or profile.checkpoint is None:
            return None
        try:
            exact = request.with_(
                dialect=tool, strength=self._value, steps=steps, source=request.source or b""
            )
            plan = plan_request(exact, profile, extent)
        except UserError as error:
            self.told.append(f"only its start and evaluations: {error}")
            return None
        noise = f"{100 * plan.noise_fraction:.1f} % noise"
        self.told.append(
            f"as {self._tool} makes it: {plan.intervals} of {steps} steps from {noise}"
        )
        return exact.with_(source=request.source)


def _rule(tool: str, request: EditRequest) -> str:
    """The dialect a program's strength is read by: diffusers has another for masks."""
    return INPAINT if tool in FOLLOWED and request.mask is not None else tool
