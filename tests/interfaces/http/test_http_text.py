"""Text that is none: half characters and charsets of nothing, in bodies and in pictures' files."""

from __future__ import annotations

import base64
import io
import json

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

HALF = "\\ud800"  # in JSON: the first half of a character


def noted(icon: Image.Image, **texts: str) -> str:
    """A picture whose file holds these texts, in base64."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    stream = io.BytesIO()
    icon.save(stream, "PNG", pnginfo=info)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sdapi/v1/img2img", f'{{"unknown": "{HALF}"}}'),
        ("/sdapi/v1/img2img", f'{{"styles": ["{HALF}"]}}'),
        ("/sdapi/v1/txt2img", f'{{"override_settings": {{"{HALF}": 1}}}}'),
        ("/sdapi/v1/options", f'{{"{HALF}": 1}}'),
        ("/v1/edits", f'{{"{HALF}": 1}}'),
        ("/v1/plan", f'{{"sampler": "{HALF}"}}'),
    ],
)
def test_half_characters_in_a_body_are_refused(client: TestClient, path: str, body: str) -> None:
    answered = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answered.status_code == 400, answered.text


def test_a_whole_character_in_two_halves_is_one(client: TestClient) -> None:
    body = json.dumps({"prompt": "🦊", "steps": 1})
    assert "\\ud83e" in body
    answered = client.post(
        "/sdapi/v1/txt2img", content=body, headers={"Content-Type": "application/json"}
    )
    assert answered.json()["parameters"]["prompt"] == "🦊"


def test_a_form_of_an_impossible_charset_is_refused(client: TestClient) -> None:
    form = b'--X\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nfox\r\n--X--\r\n'
    kind = "multipart/form-data; boundary=X; charset=undefined"  # a codec of Python's that fails
    answered = client.post("/v1/edits", content=form, headers={"Content-Type": kind})
    assert answered.status_code == 400, answered.text


@pytest.mark.parametrize(
    "texts",
    [
        {"invokeai_metadata": f'{{"positive_prompt": "fox{HALF}", "seed": 1}}'},
        {"Software": "NovelAI", "Comment": f'{{"prompt": "fox{HALF}", "seed": 1}}'},
        {"parameters": f'fox\nSteps: 1, Sampler: Euler, CFG scale: 2, Seed: 1, Model: "{HALF}"'},
        {"partway": f'{{"partway": 1, "request": {{"prompt": "fox{HALF}"}}}}'},
    ],
)
def test_half_characters_in_a_picture_are_told_as_question_marks(
    client: TestClient, icon: Image.Image, texts: dict[str, str]
) -> None:
    answered = client.post("/v1/inspect", json={"source": noted(icon, **texts)})
    assert answered.status_code == 200, answered.text
    assert "fox" in json.dumps(answered.json()["made"])
