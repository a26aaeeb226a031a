"""A1111's API with its real client, webuiapi, and what clients send beside that."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from fastapi.testclient import TestClient
from PIL import Image, PngImagePlugin

from partway.engine import Engine
from partway.interfaces.http.sdapi_names import read_sampler, start_of
from partway.interfaces.http.sdapi_prompt import plain_words
from partway.request import EditRequest
from partway.strength import sd1_log_nsr, start_noise_fraction

WORDS = "navy, orange, white"


@pytest.fixture
def webui(address: str) -> Any:
    """The client, as programs make it."""
    where = urlsplit(address)
    client: Callable[..., Any] = import_module("webuiapi").WebUIApi
    return client(host=where.hostname, port=where.port, sampler="Euler", steps=10)


def encoded(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def edited(client: TestClient, png: bytes, **fields: Any) -> dict[str, Any]:
    body = {"init_images": [encoded(png)], "prompt": WORDS, "steps": 6, "seed": 1} | fields
    answer = client.post("/sdapi/v1/img2img", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json() | {"info": json.loads(answer.json()["info"])}


def test_its_client_edits_a_picture(webui: Any, icon: Image.Image) -> None:
    result = webui.img2img(
        [icon], prompt=WORDS, denoising_strength=0.6, seed=5, width=96, height=64
    )
    assert result.image.size == (96, 64)
    assert not np.array_equal(np.asarray(result.image), np.asarray(icon))
    assert result.info["extra_generation_params"]["Partway evaluations"] == int(0.6 * 10) + 1
    assert (result.info["seed"], result.info["steps"]) == (5, 10)
    assert result.info["warnings"] == []
    assert result.parameters["init_images"] is None
    same = webui.img2img([icon], prompt=WORDS, denoising_strength=0, width=96, height=64)
    assert np.array_equal(np.asarray(same.image), np.asarray(icon))


def test_its_client_makes_pictures_from_words(webui: Any) -> None:
    result = webui.txt2img(prompt=WORDS, width=80, height=48, batch_size=2, n_iter=2, seed=7)
    assert [image.size for image in result.images] == [(80, 48)] * 4
    assert result.info["all_seeds"] == [7, 8, 9, 10]
    assert not np.array_equal(np.asarray(result.images[0]), np.asarray(result.images[1]))


def test_its_client_asks_around(webui: Any, icon: Image.Image) -> None:
    assert webui.util_get_model_names() == ["analytic", "pocket"]
    assert webui.util_get_current_model() == "analytic"
    webui.util_set_model("pocket")
    assert webui.util_get_current_model() == "pocket"
    assert {"Euler", "Euler a", "DPM++ 2M"} <= set(webui.util_get_sampler_names())
    assert {"automatic", "karras"} <= set(webui.util_get_scheduler_names())
    webui.util_wait_for_ready()
    assert webui.get_progress()["state"]["job_count"] == 0
    assert webui.interrupt() == {}
    assert [each["name"] for each in webui.get_upscalers()] == ["None", "Lanczos", "Nearest"]
    for listed in (
        webui.get_loras,
        webui.get_sd_vae,
        webui.get_face_restorers,
    ):
        assert listed() == []
    assert webui.set_options(webui.get_options()) is None
    assert webui.set_options({"img2img_fix_steps": True, "x": 1}) == {
        "ignored": ["img2img_fix_steps", "x"]
    }
    assert webui.get_options()["img2img_fix_steps"] is False


def test_its_client_reads_what_a_picture_carries(webui: Any, icon: Image.Image) -> None:
    text = "a fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler, Seed: 3, Size: 96x64"
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", text)
    stream = io.BytesIO()
    icon.save(stream, "PNG", pnginfo=chunks)
    carrying = Image.open(io.BytesIO(stream.getvalue()))
    assert webui.png_info(carrying).info == text
    assert webui.png_info(icon).info == ""


def test_its_client_hears_why_not(webui: Any, icon: Image.Image) -> None:
    for refused, why in (
        (lambda: webui.img2img([icon], mask_image=icon.convert("L").point(lambda _: 0)), "nothing"),
        (lambda: webui.interrogate(icon), "describes pictures"),
        (lambda: webui.extra_single_image(icon, upscaler_1="R-ESRGAN 4x+"), "Lanczos"),
        (lambda: webui.extra_single_image(icon, upscaler_1="Lanczos", upscaling_resize=17), "16"),
    ):
        with pytest.raises(RuntimeError) as caught:
            refused()
        status, text = caught.value.args
        assert status == 422
        assert why in json.loads(text)["detail"]


def test_its_client_paints_masks(webui: Any, icon: Image.Image) -> None:
    """White is repainted and nothing else; black where inverted; alpha where there is any."""
    mask = Image.new("L", icon.size)
    mask.paste(255, (30, 20, 60, 50))
    alpha = icon.convert("RGBA")
    alpha.putalpha(mask)
    small = mask.resize((48, 32), Image.Resampling.NEAREST)
    inside = np.asarray(mask) == 255
    for picture, inverted in ((mask, 0), (alpha, 0), (small, 0), (mask, 1)):
        for alone in (True, False):
            result = webui.img2img(
                [icon],
                mask_image=picture,
                prompt=WORDS,
                denoising_strength=0.9,
                mask_blur=0,
                inpainting_mask_invert=inverted,
                inpaint_full_res=alone,
                inpainting_fill=1,
                seed=2,
                width=96,
                height=64,
            )
            changed = (np.asarray(result.image) != np.asarray(icon)).any(axis=-1)
            assert not changed[inside == bool(inverted)].any()
            assert changed[inside != bool(inverted)].any()
    # the masked part alone: width and height are of that, the picture keeps its own
    assert webui.img2img([icon], mask_image=mask, steps=2).image.size == icon.size
    blurred = webui.img2img(
        [icon], mask_image=mask, mask_blur=2, denoising_strength=0.9, steps=2, inpainting_fill=3
    )
    changed = (np.asarray(blurred.image) != np.asarray(icon)).any(axis=-1)
    assert changed[~inside].any()
    far = np.ones_like(inside)
    far[12:58, 22:68] = False
    assert not changed[far].any()
    assert any("latent nothing" in each for each in blurred.info["warnings"])
    said = blurred.info["infotexts"][0]
    assert "Mask blur: 2" in said
    assert "Inpaint area: Only masked, Masked area padding: 0, Masked content: latent noise" in said


def test_its_client_enlarges(webui: Any, icon: Image.Image) -> None:
    twice = webui.extra_single_image(icon, upscaler_1="Lanczos")
    expected = icon.resize((192, 128), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(twice.image), np.asarray(expected))
    assert webui.extra_single_image(icon).image.size == icon.size  # no upscaler, as there
    cut = {"resize_mode": 1, "upscaling_resize_w": 50, "upscaling_resize_h": 50}
    for crop, size in ((True, (50, 50)), (False, (75, 50))):
        result = webui.extra_single_image(
            icon, **cut, upscaling_crop=crop, upscaler_1="Nearest", gfpgan_visibility=1
        )
        assert result.image.size == size
        assert "gfpgan" in result.info
    both = webui.extra_batch_images([icon, icon.rotate(90, expand=True)], upscaler_1="Lanczos")
    assert [image.size for image in both.images] == [(192, 128), (128, 192)]


def test_its_client_asks_for_memory(webui: Any) -> None:
    ram = webui.get_memory()["ram"]
    assert 0 < ram["used"] < ram["total"]
    assert ram["free"] == ram["total"] - ram["used"]
    assert webui.get_cmd_flags()["api"] is True


@pytest.mark.parametrize("steps", [1, 4, 20, 50])
@pytest.mark.parametrize("strength", [0.01, 0.3, 0.5, 0.75, 0.999, 1.0])
def test_strength_and_steps_are_read_as_there(strength: float, steps: int) -> None:
    """t_enc + 1 steps from timestep 999 t_enc / (n - 1) of Stable Diffusion 1.x."""
    kept = int(min(strength, 0.999) * steps)
    dial, evaluations = start_of(strength, steps)
    assert evaluations == kept + 1
    start = start_noise_fraction(dial, "sd1")
    time = 999 * kept / (steps - 1) if steps > 1 else 999
    expected = np.exp(np.interp(time, np.arange(1000), sd1_log_nsr()))
    assert start / (1 - start) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("steps", [2, 4, 20, 50])
@pytest.mark.parametrize("strength", [0.01, 0.3, 0.5, 0.75, 1.0])
def test_karras_starts_where_it_does_there(strength: float, steps: int) -> None:
    """sigma^(1/7) even between the largest and the smallest of the table (k-diffusion)."""
    kept = int(min(strength, 0.999) * steps)
    dial, evaluations = start_of(strength, steps, "karras")
    assert evaluations == kept + 1
    low, high = np.exp(sd1_log_nsr()[0] / 7), np.exp(sd1_log_nsr()[-1] / 7)
    expected = (high + (steps - kept - 1) / (steps - 1) * (low - high)) ** 7
    assert start_noise_fraction(dial, "sd1") == pytest.approx(expected / (1 + expected), abs=1e-6)


def test_a_whole_dial_of_starts_never_falls() -> None:
    for spacing in ("uniform", "karras"):
        starts = [start_of(i / 100, 20, spacing) for i in range(101)]
        assert starts == sorted(starts)
        assert starts[0] == (0.0, 1)


def test_samplers_by_their_labels() -> None:
    assert read_sampler("DPM++ 2M Karras", None) == ("dpmpp_2m", "karras")
    assert read_sampler("Euler a", "Automatic") == ("euler_ancestral", "uniform")
    assert read_sampler("k_dpmpp_2m", "uniform") == ("dpmpp_2m", "uniform")
    assert read_sampler(None, None) == ("euler", "uniform")


@pytest.mark.parametrize(
    ("prompt", "plain", "warnings"),
    [
        ("a fox, 3d", "a fox, 3d", 0),
        ("a (red:1.3) fox", "a red fox", 1),
        ("((red)) [fox]", "red fox", 1),
        ("fox <lora:style:0.8>, 3d", "fox, 3d", 1),
        ("a [cat:dog:0.5]", "a cat", 1),
        ("[cat|dog] AND house", "cat, house", 2),
        (r"smile \(closed\)", "smile (closed)", 0),
        ("(((unclosed", "(((unclosed", 0),
    ],
)
def test_prompt_syntax_is_read_or_told_of(prompt: str, plain: str, warnings: int) -> None:
    words, told = plain_words(prompt)
    assert words == plain
    assert len(told) == warnings


def test_what_has_no_effect_is_told(client: TestClient, png: bytes) -> None:
    info = edited(
        client,
        png,
        prompt=f"({WORDS}:1.2) <lora:x:1>",
        restore_faces=True,
        tiling=False,
        nonsense=3,
        styles=["none such"],
        override_settings={"CLIP_stop_at_last_layers": 2},
    )["info"]
    assert info["prompt"] == WORDS
    for part in ("1.2", "<lora:x:1>", "restore_faces", "nonsense", "none such", "CLIP_stop"):
        assert any(part in each for each in info["warnings"]), part
    assert not any("tiling" in each for each in info["warnings"])


def test_an_edit_is_the_engines_picture(client: TestClient, png: bytes) -> None:
    result = edited(client, png, denoising_strength=0.5, sampler_name="DPM++ 2M", mode="exact")
    strength, steps = start_of(0.5, 6, "karras")
    expected = Engine().run(
        EditRequest(
            prompt=WORDS,
            source=png,
            strength=strength,
            dial="sd1",
            steps=steps,
            sampler="dpmpp_2m",
            spacing="karras",
            model="analytic",
        )
    )
    picture = Image.open(io.BytesIO(base64.b64decode(result["images"][0])))
    assert np.array_equal(np.asarray(picture), np.asarray(expected.image))
    assert picture.size == (96, 64)  # no size was asked for


@pytest.mark.parametrize("how", [0, 1, 2, 3])
def test_sources_are_brought_to_the_size_asked_for(
    client: TestClient, png: bytes, how: int
) -> None:
    fields = {"width": 64, "height": 128, "denoising_strength": 0, "resize_mode": how}
    result = edited(client, png, **fields)
    picture = Image.open(io.BytesIO(base64.b64decode(result["images"][0]))).convert("RGB")
    assert picture.size == (64, 128)
    above = np.asarray(picture)[:20].astype(int)
    assert (np.abs(np.diff(above, axis=0)).max() == 0) == (how == 2)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"init_images": []}, 404),
        ({"init_images": None}, 404),
        ({"init_images": ["http://127.0.0.1:1/x.png"]}, 422),
        ({"init_images": ["AAAA"]}, 422),
        ({"init_images": [3]}, 422),
        ({"mask": "AAAA"}, 422),
        ({"latent_mask": "AAAA"}, 422),
        ({"inpainting_fill": 4}, 422),
        ({"override_settings": {"partway_mode": "fast"}}, 422),
        ({"steps": 0}, 422),
        ({"denoising_strength": 1.5}, 422),
        ({"denoising_strength": "much"}, 422),
        ({"sampler_name": "Unheard of"}, 422),
        ({"scheduler": "unheard of"}, 422),
        ({"script_name": "x/y"}, 422),
        ({"batch_size": 1000}, 422),
        ({"n_iter": 8, "batch_size": 8}, 422),
        ({"override_settings": {"sd_model_checkpoint": "../../etc/passwd"}}, 422),
        ({"seed": 2**40}, 422),
    ],
)
def test_bad_bodies_are_4xx_in_its_form(
    client: TestClient, png: bytes, fields: dict[str, Any], status: int
) -> None:
    body = {"init_images": [encoded(png)], "prompt": WORDS} | fields
    answer = client.post("/sdapi/v1/img2img", json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "detail", "body", "errors"}


@pytest.mark.parametrize(("stopper", "status"), [("ben", 200), ("ann", 409)])
def test_interrupting_stops_ones_own_pictures_only(
    address: str, png: bytes, stopper: str, status: int
) -> None:
    body = {"init_images": [encoded(png)], "prompt": WORDS, "steps": 300, "seed": 1}
    with ThreadPoolExecutor(1) as pool, requests.Session() as ann, requests.Session() as other:
        ann.auth, other.auth = ("ann", ""), (stopper, "")
        url = f"{address}/sdapi/v1"
        answer = pool.submit(ann.post, f"{url}/img2img", json=body)
        while requests.get(f"{url}/progress", auth=("ann", ""), timeout=9).json()["progress"] == 0:
            assert not answer.done()
        assert (other.get(f"{url}/progress").json()["progress"] > 0) == (stopper == "ann")
        assert other.post(f"{url}/interrupt").json() == {}
        assert answer.result(30).status_code == status
