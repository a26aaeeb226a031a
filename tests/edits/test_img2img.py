"""What an edit's own parts do before and after its walk: encoding, tidying, scoring."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from partway import images
from partway.edits.img2img import canvas, encode, finish
from partway.edits.region import part_on, region_of, seen_of
from partway.families import Family, load_family, profile_of
from partway.plan import plan_edit
from partway.request import EditRequest
from partway.strength import start_noise_fraction

SIZE = (64, 48)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def family() -> Family:
    """The analytic one, as if it left stains and mottling."""
    found = load_family(profile_of("analytic"), "auto")
    found.profile = replace(found.profile, plain_ground=0.3, even_surfaces=0.1)
    return found


def test_a_map_is_tidied_by_its_own_shades(family: Family) -> None:
    """Pale paint goes where a shade is that of a weak edit; where it is white it stays."""
    source, shades = png(Image.new("RGB", SIZE, "white")), Image.new("L", SIZE, 255)
    shades.paste(76, (0, 0, SIZE[0] // 2, SIZE[1]))
    request = EditRequest(source=source, strength_map=png(shades), model="analytic", dial="noise")
    picture = images.load(source, "white")
    region = region_of(request, picture)
    _, seen = seen_of(request, picture, region)
    assert region is not None
    assert seen is not None
    place = canvas(request, family.profile, seen)
    plan = plan_edit(1.0, family.profile.schedule, dial="noise")
    shape = family.latent_shape(*place.padded)
    part = part_on(region, seen, place, shape, plan, lambda s: start_noise_fraction(s, "noise"))
    pale = np.full(shape, 0.8, np.float32)
    _, drawn = finish(family, pale, place, plan, picture, encode(family, seen, place), part)
    values = np.asarray(drawn)
    assert (values[:, :28] == 255).all()
    assert (values[:, 36:] < 232).all()


def test_what_no_rule_asks_for_is_not_remembered(family: Family) -> None:
    picture = images.load(png(Image.new("RGB", SIZE, "white")), "white")
    place = canvas(EditRequest(model="analytic"), family.profile, picture)
    tidied = encode(family, picture, place)
    family.profile = replace(family.profile, plain_ground=0.0, even_surfaces=0.0)
    plain = encode(family, picture, place)
    assert (plain.canvas, plain.ground) == (None, None)
    assert tidied.canvas is not None
    assert tidied.ground is not None
    assert tidied.nbytes == plain.nbytes + tidied.canvas.nbytes + tidied.ground.where.nbytes
