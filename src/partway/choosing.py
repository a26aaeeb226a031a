"""Which model an edit runs on when the request names none.

The embedded model draws artwork: icons, stickers, one object on a plain background. Given a
photograph it would make a poor cartoon of it without a word, so it is not chosen; the error says
what can be done instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from partway.domain import domain_of
from partway.errors import ModelUnsuitable
from partway.families import DEFAULT_MODEL, Profile, profile_of

if TYPE_CHECKING:
    from partway.images import Picture


def choose_model(model: str | None, picture: Picture | None, name: str = "the source") -> Profile:
    """The named model, else the default where the source is what it draws.

    ModelUnsuitable for a photograph on a model that only draws artwork and was not asked for.
    """
    if model is not None:
        return profile_of(model)
    profile = profile_of(DEFAULT_MODEL)
    if picture is not None and profile.artwork_only:
        domain = domain_of(picture.rgb)
        if domain.photograph:
            raise ModelUnsuitable(
                f"{name} looks like a photograph ({domain.reason}); {profile.name} draws icons. "
                f"Try: -m FOLDER (another checkpoint) | -m {profile.name} (anyway)"
            )
    return profile
