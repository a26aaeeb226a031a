"""Pictures of other programs, recognised by the texts they write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.metadata.others import recognise

KEYS = ["parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Comment",
        "Software", "Description"]  # fmt: skip
INVOKEAI_3 = {
    "generation_mode": "img2img",
    "positive_prompt": "a lighthouse",
    "negative_prompt": "fog",
    "width": 512,
    "height": 768,
    "seed": 42,
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "euler_a",
    "model": {"name": "dreamshaper", "hash": "abc"},
    "strength": 0.55,
    "app_version": "5.0.0",
}
INVOKEAI_2 = {
    "model": "stable diffusion",
    "model_weights": "sd-1.5",
    "image": {
        "prompt": [{"prompt": "a lighthouse [fog]", "weight": 1}],
        "steps": 30,
        "cfg_scale": 7.5,
        "seed": 42,
        "sampler": "k_euler_a",
        "width": 512,
        "height": 768,
    },
}
FOOOCUS = {
    "prompt": "a lighthouse",
    "negative_prompt": "fog",
    "performance": "Speed",
    "steps": 30,
    "resolution": "(512, 768)",
    "guidance_scale": 4.0,
    "base_model": "juggernautXL",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "42",
    "version": "Fooocus v2.5.5",
}
NOVELAI = {"steps": 28, "sampler": "k_euler", "seed": 42, "scale": 5.0, "uc": "fog",
           "strength": 0.7, "width": 512, "height": 768}  # fmt: skip
SWARM = {"sui_image_params": {"prompt": "a lighthouse", "negativeprompt": "fog", "steps": 20,
                              "cfgscale": 7.0, "seed": 42, "model": "sdxl", "width": 512,
                              "height": 768, "initimagecreativity": 0.6}}  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "tool", "expected"),
    [
        (
            {"invokeai_metadata": json.dumps(INVOKEAI_3)},
            "InvokeAI",
            {"seed": "42", "sampler": "euler_a", "model": "dreamshaper", "strength": "0.55",
             "size": "512x768", "guidance_scale": "7.5", "steps": "30"},
        ),
        (
            {"sd-metadata": json.dumps(INVOKEAI_2)},
            "InvokeAI",
            {"seed": "42", "model": "sd-1.5", "guidance_scale": "7.5", "size": "512x768"},
        ),
        (
            {"Dream": '"a lighthouse [fog]" -s 30 -S 42 -W 512 -H 768 -C 7.5 -A k_euler -f 0.5'},
            "InvokeAI",
            {"seed": "42", "steps": "30", "size": "512x768", "sampler": "k_euler",
             "strength": "0.5"},
        ),
        (
            {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
            "Fooocus",
            {"seed": "42", "model": "juggernautXL", "steps": "30", "guidance_scale": "4"},
        ),
        ({"Comment": json.dumps(FOOOCUS)}, "Fooocus", {"seed": "42", "scheduler": "karras"}),
        (
            {"Software": "NovelAI", "Description": "a lighthouse", "Comment": json.dumps(NOVELAI),
             "Source": "NovelAI Diffusion V4"},
            "NovelAI",
            {"seed": "42", "guidance_scale": "5", "model": "NovelAI Diffusion V4",
             "strength": "0.7", "size": "512x768"},
        ),
        (
            {"parameters": json.dumps(SWARM)},
            "SwarmUI",
            {"seed": "42", "guidance_scale": "7", "strength": "0.6", "size": "512x768"},
        ),
    ],
    ids=["invokeai-3", "invokeai-2", "invokeai-1", "fooocus-png", "fooocus-jpeg", "novelai",
         "swarmui"],
)  # fmt: skip
def test_recognised(texts: dict[str, str], tool: str, expected: dict[str, str]) -> None:
    recipe = recognise(texts)
    assert recipe is not None
    assert recipe.tool == tool
    assert recipe.prompt == "a lighthouse"
    assert recipe.negative_prompt == "fog"
    assert {name: recipe.values.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Title": "holiday"},
        {"Comment": "made by hand"},
        {"Comment": '{"a": 1}'},
        {"prompt": "just a word"},
        {"Software": "NovelAI"},
        {"Dream": "of electric sheep"},
        {"sd-metadata": '{"image": 5}'},
        {"invokeai_metadata": "[]"},
        {"parameters": '{"sui_image_params": 3}'},
    ],
)
def test_other_texts_are_nobodys(texts: dict[str, str]) -> None:
    assert recognise(texts) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4)
    | st.dictionaries(
        st.sampled_from(["prompt", "image", "model", "nodes", "links", "inputs", "seed",
                         "sui_image_params", "base_model", "performance", "class_type",
                         "positive_prompt", "steps", "cfg", "width", "height", "1", "2"]),
        children,
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), json_values.map(json.dumps) | st.text(max_size=50)))
def test_whatever_is_written_nothing_is_raised(texts: dict[str, str]) -> None:
    recipe = recognise(texts | {"Software": "NovelAI"})
    if recipe is not None:
        assert all(isinstance(value, str) for value in recipe.values.values())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("opened", ["[", '{"a":', '{"nodes":[', "[[1,"])
def test_deep_texts_are_nobodys(key: str, opened: str) -> None:
    for depth in (500, 900, 990, 5000, 200_000):
        recognise({key: opened * depth, "Software": "NovelAI"})
        closed = "]" * depth if opened == "[" else "}" * depth
        recognise({key: f"{opened * depth}1{closed}", "Software": "NovelAI"})
