"""Which model an edit runs on when the request names none.

The embedded model draws artwork: icons, stickers, one object on a plain background. Given a
photograph it would make a poor cartoon of it without a word, so it is not chosen; the error says
what can be done instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from partway.domain import domain_of
from partway.errors import InvalidRequest, ModelUnsuitable, UnknownName
from partway.families import DEFAULT_MODEL, Profile, profile_of, profile_of_pipeline
from partway.samplers.names import resolve_sampler

if TYPE_CHECKING:
    from partway.images import Picture

FOR_REFERENCES = "exemplar"


def choose_model(
    model: str | None,
    picture: Picture | None,
    name: str = "the source",
    *,
    with_references: bool = False,
    own: Profile | None = None,
) -> Profile:
    """The named model, else the one for style pictures, else the default if it draws the source.

    own  the default of an engine that has one; any source is its

    InvalidRequest for style pictures on a model that has no use for them; ModelUnsuitable for a
    photograph on a model that only draws artwork and was not asked for.
    """
    if model is not None:
        return _checked(profile_of(model), with_references=with_references)
    if with_references:
        return profile_of(FOR_REFERENCES)
    if own is not None:
        return own
    profile = profile_of(DEFAULT_MODEL)
    if picture is not None and profile.artwork_only:
        domain = domain_of(picture.rgb)
        if domain.photograph:
            raise ModelUnsuitable(
                f"{name} looks like a photograph ({domain.reason}); {profile.name} draws icons. "
                f"Try: --style watercolour (offline, instead of a prompt; see `partway styles`) | "
                f"-m FOLDER (another checkpoint) | -m {profile.name} (anyway)"
            )
    return profile


def wrapped(pipe: Any) -> Profile:
    """The profile of a loaded pipeline, with its scheduler's sampler where that is one of ours."""
    profile = profile_of_pipeline(pipe)
    scheduler = type(pipe.scheduler).__name__
    try:
        sampler, _ = resolve_sampler(scheduler)
    except UnknownName:
        return profile
    if sampler == "dpmpp_2m" and "sde" in str(pipe.scheduler.config.get("algorithm_type")):
        sampler = "dpmpp_2m_sde"
    return replace(profile, default_sampler=sampler)


def _checked(profile: Profile, *, with_references: bool) -> Profile:
    """The profile, where it takes what the request brings."""
    if with_references and profile.conditioning != "references":
        raise InvalidRequest(
            f"{profile.name} follows words and has no use for a style picture: "
            f"leave --style out, or take -m {FOR_REFERENCES}"
        )
    return profile
