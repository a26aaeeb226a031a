"""What a request comes to before any network is loaded: its model, its plan, its network calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from partway.calibration import Curve, paired
from partway.choosing import choose_model
from partway.edits import as_diffusers, pyramid, upscale
from partway.edits.outpaint import check_extent
from partway.edits.region import faintest, selected
from partway.errors import Uncalibrated
from partway.families import settled, with_loras, with_runtime
from partway.plan import Plan, plan_edit
from partway.samplers import get_sampler
from partway.spacings import get_spacing
from partway.strength import start_noise_fraction
from partway.strength_map import asks_again

if TYPE_CHECKING:
    from partway.families import Profile
    from partway.geometry import Extent
    from partway.images import Picture
    from partway.request import EditRequest


def calibration_of(request: EditRequest, profile: Profile) -> tuple[float, Curve | None]:
    """Gain and curve that a request's dial reads: its own, else the model's.

    Uncalibrated where the dial reads a curve and there is none.
    """
    gain = profile.gain if request.gain is None else request.gain
    curve = profile.curve if request.curve is None else Curve(paired(request.curve))
    if request.dial == "perceptual" and curve is None:
        raise Uncalibrated(profile.name)
    return gain, curve


def plan_request(request: EditRequest, profile: Profile, extent: Extent | None = None) -> Plan:
    """The plan of a request on a model; the model's own step count where none was asked.

    extent  the source's size where it is known: some of diffusers' levels depend on it
    """
    if request.dialect is not None:
        return as_diffusers.plan(settled(request, profile), profile, extent)
    full_steps = request.full_steps
    if request.steps is None and full_steps is None:
        full_steps = profile.default_steps
    gain, curve = calibration_of(request, profile)
    return plan_edit(
        request.effective_strength,
        profile.schedule,
        dial=request.dial,
        gain=gain,
        curve=curve,
        steps=request.steps,
        full_steps=full_steps,
        spacing=request.spacing,
    )


def evaluations_of(
    request: EditRequest, profile: Profile, plan: Plan, picture: Picture | None = None
) -> int:
    """Network calls a request takes.

    picture  the source, on whose size an upscale's tiles and a map depend
    """
    if not plan.levels:
        return 0
    if request.scale is not None and picture is not None:
        large = upscale.extent_of(picture.extent, request.scale)
        return upscale.evaluations(request, profile, plan, large)
    if profile.conditioning == "references":
        return pyramid.evaluations(request, plan)
    calls = get_sampler(settled(request, profile).sampler).evaluations(plan.intervals)
    shares = None
    if request.strength_map is not None and picture is not None:
        shares = selected(request, picture)
    if shares is None:
        return calls
    gain, curve = calibration_of(request, profile)
    strength = plan.strength * faintest(shares)
    lowest = start_noise_fraction(strength, request.dial, gain, curve)
    return calls + asks_again(plan.levels, lowest)


@dataclass(frozen=True, eq=False)
class Outline:
    """What a request comes to, known before any network is loaded.

    profile      of the model it runs on; None where nothing has to run
    evaluations  network calls it takes
    """

    profile: Profile | None
    plan: Plan
    evaluations: int


def outline(request: EditRequest, picture: Picture | None, own: Profile | None = None) -> Outline:
    """Choose the model and plan the edit; refuses what can be refused before loading.

    picture  the decoded source; at strength 0 it is the result and no model is chosen
    own      the model of an engine that has one, for requests that name none
    """
    get_sampler(request.sampler)
    get_spacing(request.spacing)
    if picture is not None:
        check_extent(request, picture.extent)
    if picture is not None and request.effective_strength == 0.0 and request.dialect is None:
        steps = request.full_steps if request.steps is None else None
        return Outline(None, Plan(0.0, request.dial, 0.0, (), 1.0, steps), 0)
    styled = bool(request.references)
    profile = choose_model(request.model, picture, with_references=styled, own=own)
    profile = with_runtime(with_loras(profile, request.loras), request.runtime)
    if profile.conditioning == "references":
        pyramid.check(request)
    plan = plan_request(request, profile, None if picture is None else picture.extent)
    return Outline(profile, plan, evaluations_of(request, profile, plan, picture))
