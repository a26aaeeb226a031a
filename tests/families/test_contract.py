"""What every family must do; registering one is enough to have it tested."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.families import tiny

from partway.denoiser import PREDICTIONS, Condition, Row, denoise
from partway.errors import InvalidRequest, ModelError, UnknownName
from partway.families import EMBEDDED, WITHOUT_WEIGHTS, Family, Profile, load_family, profile_of
from partway.families.exemplar import encode_references
from partway.noise import Noise

MODELS = (*WITHOUT_WEIGHTS, *EMBEDDED, *tiny.KINDS)


@pytest.fixture(scope="module", params=MODELS)
def family(request: pytest.FixtureRequest) -> Family:
    name: str = request.param
    model = str(tiny.folder_of(name)) if name in tiny.KINDS else name
    return load_family(profile_of(model), "fp32")


def canvas(profile: Profile) -> tuple[int, int]:
    side = -(-profile.native_size // profile.stride) * profile.stride
    return side, side + profile.stride


def condition(family: Family, prompt: str) -> Condition:
    """What a prompt comes to; for a family that follows pictures, a picture that it stands for."""
    if family.profile.conditioning == "prompt":
        return family.encode_prompt(prompt)
    picture = np.tanh(Noise(len(prompt), (3, 64, 64))())
    return encode_references([picture])


def test_profile(family: Family) -> None:
    profile = family.profile
    assert profile.prediction in PREDICTIONS
    assert profile.gain > 0
    assert profile.default_steps >= 1
    assert profile.schedule == family.schedule
    assert profile.schedule.top == 1.0 or profile.schedule.path == "vp"


def test_shapes_and_finite_values(family: Family) -> None:
    width, height = canvas(family.profile)
    image = np.tanh(Noise(1, (3, height, width))())
    latents = family.encode(image)
    assert latents.shape == family.latent_shape(width, height)
    assert latents.dtype == np.float32
    decoded = family.decode(latents)
    assert decoded.shape == image.shape
    assert np.isfinite(decoded).all()


def test_a_flat_picture_survives_the_round_trip(family: Family) -> None:
    if family.profile.name in tiny.KINDS:
        pytest.skip("weights are random")
    width, height = canvas(family.profile)
    for value in (-0.9, 0.0, 0.9):
        image = np.full((3, height, width), value, np.float32)
        decoded = family.decode(family.encode(image))
        assert np.abs(decoded - image).mean() < 0.05


def test_rows_do_not_depend_on_their_neighbours(family: Family) -> None:
    """Vector levels, mixed prompts: a row in a batch equals the row alone."""
    profile = family.profile
    shape = family.latent_shape(*canvas(profile))
    levels = [profile.schedule.level(f) for f in (0.05, 0.4, 0.9)]
    prompts = ("owl, 3d", "", "red")
    rows = [
        Row(Noise(i, shape)(), level, condition(family, prompt))
        for i, (level, prompt) in enumerate(zip(levels, prompts, strict=True))
    ]
    together = denoise(family, rows)
    for row, x0 in zip(rows, together, strict=True):
        assert x0.shape == shape
        assert np.abs(denoise(family, [row])[0] - x0).max() < 2e-4 * max(1, np.abs(x0).max())


def test_prompts_matter_and_encode_deterministically(family: Family) -> None:
    shape = family.latent_shape(*canvas(family.profile))
    level = family.schedule.level(0.9)
    x = Noise(1, shape)()
    conditions = [condition(family, p) for p in ("red, 3d", "red, 3d", "blue, flat")]
    first, same, other = denoise(family, [Row(x, level, c) for c in conditions])
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_no_prompt_breaks_a_family(family: Family) -> None:
    for prompt in ("", " ", "#", "zzzzqqq", "😀" * 50, "owl " * 500, "#12345 red,,,", "\x00\n"):
        if family.profile.conditioning == "references" and prompt.strip():
            with pytest.raises(InvalidRequest, match="no words"):
                family.encode_prompt(prompt)
            continue
        encoded = family.encode_prompt(prompt)
        if family.profile.conditioning == "prompt":
            parts = vars(encoded).values() if is_dataclass(encoded) else (encoded,)
            assert all(np.isfinite(np.asarray(part)).all() for part in parts)


def test_unknown_model_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"analytic, exemplar, pocket.*did you mean 'pocket'"):
        profile_of("poket")


def test_broken_folders_are_typed_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither config\.json"):
        profile_of(str(tmp_path))
    config = tmp_path / "config.json"
    for text in ("{", "[]", "{}", '{"family": "onnx"}'):
        config.write_text(text)
        with pytest.raises(ModelError, match="cannot be understood"):
            profile_of(str(tmp_path))
    config.write_text('{"family": "nope"}')
    with pytest.raises(UnknownName, match="onnx"):
        profile_of(str(tmp_path))
    config.write_text((EMBEDDED["pocket"] / "config.json").read_text())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_family(profile_of(str(tmp_path)))


def test_precision_is_checked() -> None:
    with pytest.raises(InvalidRequest, match="auto, bf16, fp32"):
        load_family(profile_of("pocket"), "int3")


def test_config_says_everything_about_the_network(tmp_path: Path) -> None:
    """A folder of another shape needs no code: only its config differs."""
    config = json.loads((EMBEDDED["pocket"] / "config.json").read_text())
    config |= {"native_size": 256, "patch": 16, "default_steps": 7, "gain": 1.5, "lowest": 0.1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    profile = profile_of(str(tmp_path))
    assert (profile.native_size, profile.default_steps, profile.gain) == (256, 7, 1.5)
    assert profile.stride == 16 * config["latent_multiple"]
    assert profile.schedule.lowest == 0.1
