from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from partway.errors import InvalidRequest, UserError
from partway.request import EditRequest


def test_frozen_and_comparable() -> None:
    request = EditRequest(prompt="owl", source=b"x", strength=0.0)
    assert request == EditRequest(prompt="owl", source=b"x", strength=0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.strength = 0.5  # pyright: ignore[reportAttributeAccessIssue]


def test_zero_is_a_value() -> None:
    assert EditRequest(source=b"x", strength=0.0).effective_strength == 0.0
    assert EditRequest(source=b"x").effective_strength == 0.5
    assert EditRequest(strength=0.2).effective_strength == 1.0
    assert EditRequest(seed=0).seed == 0
    assert EditRequest(guidance_scale=0.0).guidance_scale == 0.0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"strength": 1.5}, r"strength is 1\.5, allowed is 0 … 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is"),
        ({"steps": 0}, "steps is 0"),
        ({"full_steps": 0}, "full-steps is 0"),
        ({"steps": 4, "full_steps": 4}, "not both"),
        ({"size": (0, 4)}, "each side"),
        ({"size": (4, 4), "source": b"x"}, "keeps its source's size"),
        ({"prompt": "a" * 20_001}, "20001 characters"),
        ({"working_multiple": 0}, "working multiple"),
        ({"strength": "0.5"}, "strength is '0.5', want a number"),
        ({"strength": True}, "want a number"),
        ({"seed": 1.5}, "seed is 1.5, want a whole number"),
        ({"seed": None}, "want a whole number"),
        ({"steps": "4"}, "want a whole number"),
        ({"prompt": None}, "prompt is None, want text"),
        ({"prompt": "caf\udce9"}, "no text"),
        ({"guidance_scale": "3"}, "want a number"),
        ({"guidance_scale": -1.0}, "guidance is -1"),
        ({"guidance_interval": (0.5,)}, "want two numbers"),
        ({"guidance_interval": (0.9, 0.2)}, "guidance interval"),
        ({"size": 4}, "want two numbers"),
        ({"size": (4.5, 4)}, "want a whole number"),
        ({"model": 5}, "want text"),
        ({"source": "cat.png"}, "want the bytes"),
        ({"curve": 5}, "curve is a int, want several"),
        ({"loras": "a.safetensors"}, "want several; try .'a.safetensors'."),
        ({"loras": None}, "loras is a NoneType, want several"),
        ({"references": b"x"}, "references is a bytes, want several"),
        ({"references": ["x.png"]}, "references is a str, want the bytes"),
        ({"mask": b"x", "source": b"x", "mask_invert": "no"}, "'no', want True or False"),
        ({"alpha_mask": 1, "source": b"x"}, "alpha mask is 1, want True or False"),
        ({"precision": "fp8"}, "unknown precision"),
        ({"dial": "nope"}, "unknown dial"),
        ({"spacing": "nope"}, "unknown spacing"),
    ],
)
def test_validated_when_made(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        EditRequest(**fields)


def test_numbers_of_other_kinds_become_plain_ones() -> None:
    others: dict[str, Any] = {
        "source": bytearray(b"x"),
        "strength": np.float32(0.5),
        "seed": np.int64(3),
        "guidance_interval": [0, 1],
        "references": [bytearray(b"y")],
    }
    request = EditRequest(**others)
    plain = EditRequest(source=b"x", strength=0.5, seed=3, references=(b"y",))
    assert request == plain
    assert [type(v) for v in (request.strength, request.seed, request.source)] == [
        float, int, bytes,
    ]  # fmt: skip
    assert hash(request) == hash(plain)


def test_with_validates_again() -> None:
    assert EditRequest(prompt="a").with_(prompt="b").prompt == "b"
    with pytest.raises(InvalidRequest):
        EditRequest().with_(strength=2.0)


def test_the_source_stays_out_of_the_repr() -> None:
    assert "secret" not in repr(EditRequest(source=b"secret"))
