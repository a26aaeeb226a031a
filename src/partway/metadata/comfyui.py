"""ComfyUI's node graphs: from the node that made the last picture back to what fed it.

    prompt     {id: {"class_type": …, "inputs": {name: value or [id, output]}}}   as it was run
    workflow   {"nodes": […], "links": […]}                                       as it was drawn

Nodes number in the thousands, third parties add their own, and graphs found in files may be cut or
go in circles. So no list of node types: the nearest value of a name counts, walking backwards.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from partway.metadata.recipe import Recipe, make
from partway.metadata.untrusted import is_list, is_object, parsed, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

Graph: TypeAlias = "dict[str, dict[str, Any]]"

MAX_NODES = 5000
# Our name → inputs that mean it, in nodes of the sampler, its noise, its guider and its loaders.
INPUTS = {
    "steps": ("steps",),
    "sampler": ("sampler_name",),
    "scheduler": ("scheduler",),
    "guidance_scale": ("cfg", "guidance"),
    "seed": ("seed", "noise_seed"),
    "strength": ("denoise",),
    "start at step": ("start_at_step",),
    "model": ("ckpt_name", "unet_name", "model_name"),
}
TEXTS = ("text", "text_g", "clip_l", "t5xxl", "text_l", "prompt", "string", "value")
# Widgets of drawn nodes that are plain lists.
WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler", "start_at_step",
    ),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
}  # fmt: skip


def recognise(prompt: object, workflow: object) -> Recipe | None:
    """The settings of a graph; None where there is no sampler in it."""
    for graph in (_as_run(parsed(prompt)), _as_drawn(parsed(workflow))):
        last = _last_sampler(graph)
        if last is not None:
            return _recipe(graph, last)
    return None


def _as_run(value: object) -> Graph:
    """The nodes of a prompt graph that have the expected form."""
    if not is_object(value) or len(value) > MAX_NODES:
        return {}
    return {
        name: node
        for name, node in value.items()
        if is_object(node) and is_object(node.get("inputs"))
    }


def _as_drawn(value: object) -> Graph:
    """A workflow in the form of a prompt graph, as far as its widgets can be named."""
    nodes = value.get("nodes") if is_object(value) else None
    links = value.get("links") if is_object(value) else None
    if not is_list(nodes) or not is_list(links):
        return {}
    origins: dict[str, list[Any]] = {}
    for link in links[: 4 * MAX_NODES]:
        if is_list(link) and len(link) >= 3:
            origins[plain(link[0])] = [plain(link[1]), link[2]]
    graph: Graph = {}
    for node in nodes[:MAX_NODES]:
        if is_object(node):
            graph[plain(node.get("id"))] = {"inputs": _drawn_inputs(node, origins)}
    return graph


def _drawn_inputs(node: dict[str, Any], origins: dict[str, list[Any]]) -> dict[str, Any]:
    """Widgets and links of one drawn node, by name."""
    inputs: dict[str, Any] = {}
    widgets = node.get("widgets_values")
    if is_list(widgets):
        names = WIDGETS.get(plain(node.get("type")), ())
        inputs |= {name: value for name, value in zip(names, widgets, strict=False) if name}
    slots = node.get("inputs")
    for slot in slots if is_list(slots) else []:
        if is_object(slot) and plain(slot.get("link")) in origins:
            inputs[plain(slot.get("name"))] = origins[plain(slot.get("link"))]
    return inputs


def _links(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Input and node of each link of a node."""
    for name, value in node["inputs"].items():
        if is_list(value) and len(value) == 2:
            yield name, plain(value[0])


def _upstream(graph: Graph, *starts: str) -> Iterator[dict[str, Any]]:
    """Nodes from `starts` backwards, nearest first, each once."""
    seen, waiting = {*starts}, deque(starts)
    while waiting:
        node = graph.get(waiting.popleft())
        if node is None:
            continue
        yield node
        for _, name in _links(node):
            if name not in seen:
                seen.add(name)
                waiting.append(name)


def _is_sampler(node: dict[str, Any]) -> bool:
    """Whether a node takes a latent picture, and steps or the levels they come to."""
    inputs = node["inputs"]
    latent = "latent_image" in inputs or "latent" in inputs or "samples" in inputs
    return ("steps" in inputs and "cfg" in inputs) or (latent and "sigmas" in inputs)


def _last_sampler(graph: Graph) -> str | None:
    """The sampler that no other one takes its picture from."""
    samplers = [name for name, node in graph.items() if _is_sampler(node)]
    if len(samplers) < 2:
        return next(iter(samplers), None)
    origins = [origin for name in samplers for _, origin in _links(graph[name])]
    feeding = {id(node) for node in _upstream(graph, *origins)}
    return next((name for name in samplers if id(graph[name]) not in feeding), samplers[-1])


def _recipe(graph: Graph, sampler: str) -> Recipe:
    """Nearest values behind a sampler, and the texts behind its conditions."""
    values: dict[str, object] = {}
    for node in _upstream(graph, sampler):
        for ours, names in INPUTS.items():
            if ours not in values:
                found = (node["inputs"].get(name) for name in names)
                value = next((v for v in found if isinstance(v, (str, int, float))), None)
                if value is not None:
                    values[ours] = value
    return make(
        "ComfyUI", _text(graph, sampler, "positive"), _text(graph, sampler, "negative"), values
    )


def _text(graph: Graph, sampler: str, side: str) -> str:
    """The first text behind one side of a sampler, or of the guider it has in its place."""
    for node in _upstream(graph, sampler):
        for name, origin in _links(node):
            if name == side or (side == "positive" and name == "conditioning"):
                return _first_text(graph, origin)
        if node is graph.get(sampler) and not any(n == "guider" for n, _ in _links(node)):
            break
    return ""


def _first_text(graph: Graph, start: str) -> str:
    """The nearest text."""
    for node in _upstream(graph, start):
        for name in TEXTS:
            value = node["inputs"].get(name)
            if isinstance(value, str) and value.strip():
                return value
    return ""
