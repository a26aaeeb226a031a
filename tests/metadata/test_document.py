"""The record as JSON and back; what is not one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import NoMetadata
from partway.metadata import Document, File, Made
from partway.metadata.document import MAX_JSON, from_json, is_relative, to_json

HASH = "0123456789abcdef" * 4

documents = st.builds(
    Document,
    request=st.dictionaries(
        st.text(max_size=12),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False,
                                                                          allow_infinity=False),
        max_size=6,
    ),
    files=st.dictionaries(
        st.sampled_from(["source", "references"]),
        st.tuples(
            st.builds(
                File,
                sha256=st.just(HASH),
                size=st.integers(0, 2**40),
                name=st.sampled_from([None, "cat.png", "../cat.png", "кот 😺.png"]),
            )
        ),
    ),
    model=st.none() | st.text(max_size=40),
    made=st.builds(
        Made,
        evaluations=st.integers(0, 1000),
        noise_fraction=st.floats(0, 1),
        kept=st.none() | st.just({"structure": -0.25, "color": 1.0}),
        size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
        pixels=st.sampled_from([None, HASH]),
    ),
    program=st.text(max_size=30),
    parent=st.sampled_from([None, HASH]),
)  # fmt: skip


@given(documents)
def test_a_record_survives_json(document: Document) -> None:
    text = to_json(document)
    assert text.isascii()
    assert text.isprintable()
    assert from_json(text) == document


def record(**changes: Any) -> str:
    value = json.loads(to_json(Document(request={"prompt": "a"})))
    return json.dumps(value | changes)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "not one of Partway's"),
        (record(partway=True), "not one of Partway's"),
        (record(partway=2), "a newer Partway"),
        (record(request={"prompt": {"a": 1}}), "request"),
        (record(request={"prompt": float("nan")}), "request"),
        (record(request={"prompt": [[1]]}), "request"),
        (record(request={"prompt": [1] * 65}), "request"),
        (record(request=[]), "request"),
        (record(model=5), "model"),
        (record(model={"name": "m" * 256}), "model"),
        (record(parent="abc"), "SHA-256"),
        (record(files={str(n): [] for n in range(17)}), "files"),
        (record(files={"source": [{}]}), "hash and size"),
        (record(files={"source": [{"sha256": HASH, "bytes": -1}]}), "hash and size"),
        (record(files={"source": [{"sha256": HASH, "bytes": True}]}), "hash and size"),
        (record(files={"source": [{"sha256": HASH, "bytes": 1}] * 17}), "files"),
        (record(files={"source": [{"sha256": HASH, "bytes": 1, "name": "/etc/passwd"}]}), "folder"),
        (" " * (MAX_JSON + 1), "characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_record_is_refused(text: str, word: str) -> None:
    with pytest.raises(NoMetadata, match=word):
        from_json(text)


@pytest.mark.parametrize("name", ["cat.png", "../cat.png", "../../a b.png", "...png", "-s"])
def test_names_near_the_picture(name: str) -> None:
    assert is_relative(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../..", "/cat.png", "../../../cat.png", "a/cat.png", "a/../../cat.png",
     "C:cat.png", "\\\\host\\cat.png", "a\0b", "a\nb", "x" * 256],
)  # fmt: skip
def test_names_that_lead_elsewhere(name: str) -> None:
    assert not is_relative(name)


def test_what_is_odd_in_how_it_was_made_counts_as_not_said() -> None:
    odd = {"precision": "a b", "mode": 5, "evaluations": -1, "noise_fraction": 2, "kept": {"a": 7},
           "size": [0, 5], "pixels": "no", "digital_source": "\x1b[31m"}  # fmt: skip
    assert from_json(record(made=odd)).made == Made(kept={})
