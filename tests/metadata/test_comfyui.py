"""ComfyUI's graphs: as run, as drawn, with unknown nodes, in circles, huge."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from partway.metadata.comfyui import MAX_NODES, recognise

RUN: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 42, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal",
            "denoise": 0.55, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
            "latent_image": ["10", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lighthouse", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "fog", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}},
    "10": {"class_type": "VAEEncode", "inputs": {"pixels": ["11", 0], "vae": ["4", 2]}},
    "11": {"class_type": "LoadImage", "inputs": {"image": "in.png"}},
}  # fmt: skip
EXPECTED = {"seed": "42", "steps": "20", "guidance_scale": "8", "sampler": "euler",
            "scheduler": "normal", "strength": "0.55", "model": "sd15.safetensors"}  # fmt: skip


def read(prompt: Any = None, workflow: Any = None) -> Any:
    texts = [None if each is None else json.dumps(each) for each in (prompt, workflow)]
    return recognise(*texts)


def test_a_graph_as_it_was_run() -> None:
    recipe = read(RUN)
    assert (recipe.tool, recipe.prompt, recipe.negative_prompt) == (
        "ComfyUI", "a lighthouse", "fog",
    )  # fmt: skip
    assert dict(recipe.values) == EXPECTED


def test_a_workflow_as_it_was_drawn() -> None:
    widgets = [42, "fixed", 20, 8.0, "euler", "normal", 0.55]
    workflow = {
        "nodes": [
            {"id": 3, "type": "KSampler", "widgets_values": widgets,
             "inputs": [{"name": "model", "link": 1}, {"name": "positive", "link": 2},
                        {"name": "negative", "link": 3}, {"name": "latent_image", "link": 4}]},
            {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd15.safetensors"]},
            {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a lighthouse"]},
            {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["fog"]},
        ],
        "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1, "C"], [3, 7, 0, 3, 2, "C"]],
    }  # fmt: skip
    recipe = read(None, workflow)
    assert (recipe.prompt, recipe.negative_prompt) == ("a lighthouse", "fog")
    assert dict(recipe.values) == EXPECTED


def test_of_two_samplers_the_last_one_counts() -> None:
    first = dict(RUN["3"]["inputs"])
    second = first | {"seed": 99, "denoise": 0.3, "latent_image": ["3", 0]}
    graph = {"0": {"class_type": "KSampler", "inputs": second}} | RUN
    assert read(graph).values["seed"] == "99"
    graph = RUN | {"99": {"class_type": "KSampler", "inputs": second}}
    assert read(graph).values["seed"] == "99"


def test_values_and_texts_through_other_nodes() -> None:
    graph = json.loads(json.dumps(RUN))
    graph["3"]["inputs"]["seed"] = ["20", 0]
    graph["20"] = {"class_type": "Seed (rgthree)", "inputs": {"seed": 7}}
    graph["3"]["inputs"]["positive"] = ["21", 0]
    graph["21"] = {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0]}}
    recipe = read(graph)
    assert recipe.values["seed"] == "7"
    assert recipe.prompt == "a lighthouse"


def test_a_sampler_of_parts() -> None:
    graph: dict[str, Any] = {
        "1": {"inputs": {"noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0],
                         "sigmas": ["5", 0], "latent_image": ["6", 0]}},
        "2": {"inputs": {"noise_seed": 42}},
        "3": {"inputs": {"model": ["7", 0], "conditioning": ["8", 0]}},
        "4": {"inputs": {"sampler_name": "euler"}},
        "5": {"inputs": {"scheduler": "simple", "steps": 20, "denoise": 0.6}},
        "6": {"inputs": {}},
        "7": {"inputs": {"unet_name": "flux1-dev"}},
        "8": {"inputs": {"guidance": 3.5, "conditioning": ["9", 0]}},
        "9": {"inputs": {"text": "a lighthouse"}},
    }  # fmt: skip
    recipe = read(graph)
    assert recipe.prompt == "a lighthouse"
    assert recipe.values["strength"] == "0.6"
    assert recipe.values["seed"] == "42"
    assert recipe.values["model"] == "flux1-dev"


@pytest.mark.parametrize(
    "graph",
    [
        {"1": {"inputs": {"steps": 1, "cfg": 1, "positive": ["1", 0], "latent_image": ["1", 0]}}},
        {"1": {"inputs": {"steps": 1, "cfg": 1, "positive": ["2", 0]}},
         "2": {"inputs": {"steps": 1, "cfg": 1, "conditioning": ["1", 0]}}},
        {"1": {"inputs": {"steps": [], "cfg": {}, "positive": [["a"], [1]], "seed": True}}},
        {"1": {"inputs": {"steps": 1, "cfg": 1, "positive": ["gone", 0]}}},
    ],
)  # fmt: skip
def test_odd_graphs_have_an_end(graph: dict[str, Any]) -> None:
    recipe = read(graph)
    assert recipe.prompt == ""


def test_too_many_nodes_are_not_looked_at() -> None:
    graph = dict(RUN)
    graph |= {f"n{i}": {"inputs": {}} for i in range(MAX_NODES)}
    assert read(graph) is None


def test_a_tangle_of_samplers_takes_little_time() -> None:
    count = 1500
    links = {f"i{j}": [str(j * 37 % count), 0] for j in range(40)}
    node = {"inputs": {"steps": 1, "cfg": 1, "latent_image": ["0", 0]} | links}
    graph = json.dumps({str(i): node for i in range(count)})
    began = time.process_time()
    recognise(graph, None)
    assert time.process_time() - began < 3.0
