"""Pocket's training: names, prompts, what the denoiser is shown, drawings' measures, the pages."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parent.parent.parent / "training" / "pocket"


def script(name: str) -> Any:
    return import_module(name)


def disc(radius: int = 60, colour: tuple[int, int, int] = (222, 44, 50)) -> np.ndarray[Any, Any]:
    """(256, 256, 4) premultiplied: a disc on nothing."""
    y, x = np.mgrid[0:256, 0:256] - 127.5
    picture = np.zeros((256, 256, 4), np.uint8)
    picture[np.hypot(x, y) < radius] = (*colour, 255)
    return picture


def record(**changes: Any) -> dict[str, Any]:
    return {
        "style": "3d",
        "subject": "cat-face",
        "key": "cat-face",
        "name": "cat face",
        "synonyms": ["kitty"],
        "keywords": ["animal", "pet", "whiskers"],
        "colours": ["orange", "white"],
    } | changes


@pytest.mark.parametrize("name", ["align", "captions", "codec", "data", "library", "report"])
def test_help_explains_and_overwrites_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        script(name).main()
    assert stopped.value.code == 0
    assert f"python {name}.py" in capsys.readouterr().out


def test_names_of_one_subject_meet() -> None:
    squash = script("subjects").squash
    assert squash("Money-bag") == squash("money_bag") == squash("moneybag")


def test_run_together_names_are_cut_at_known_words() -> None:
    counts = {"front": 5, "facing": 5, "chick": 5, "baby": 5, "fr": 3}
    assert script("subjects").cut_words("frontfacingchick", counts) == ["front", "facing", "chick"]
    assert script("subjects").cut_words("unheardof", counts) == ["unheardof"]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("waving-hand-dark-skin-tone", "1F44B-1F3FF"),
        ("flag-germany", "1F1E9-1F1EA"),
        ("keycap-1", "31-20E3"),
        ("keycap-5", None),
        ("a", None),
    ],
)
def test_variants_flags_and_keycaps_are_dropped(
    key: str, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = script("subjects")
    known: dict[str, dict[str, str]] = {"1F431": {}}
    monkeypatch.setattr(subjects, "emojibase", lambda: known)
    assert not subjects.wanted(key, code)
    assert subjects.wanted("cat-face", "1F431")


def test_held_out_subjects_and_single_pictures() -> None:
    split = json.loads((FOLDER / "heldout.json").read_text("utf-8"))
    whole, single = split["subjects"][0], split["pictures"][0]
    assert len(split["subjects"]) == 60
    assert len(split["pictures"]) >= 264
    other = "flat" if single["style"] != "flat" else "3d"
    same: dict[str, Any] = {"subject": single["subject"], "key": "x", "synonyms": []}
    flags = script("data").held_out(
        [
            record(subject=whole, key="x"),
            record(subject="x", synonyms=[whole.replace("-", " ")]),
            record(style=single["style"], **same),
            record(style=other, **same),
        ]
    )
    assert flags.tolist() == [True, True, True, False]


def test_colours_are_measured_in_the_opaque_part() -> None:
    data = script("data")
    assert data.colours(disc()) == ["red"]
    half = disc()
    half[:, 128:, :3] = np.where(half[:, 128:, 3:] > 0, (45, 120, 215), 0)
    assert sorted(data.colours(half)) == ["blue", "red"]
    assert data.colours(np.zeros((256, 256, 4), np.uint8)) == []


def test_bounds_enclose_what_is_seen() -> None:
    data = script("data")
    assert data.bounds(disc(60)) == [68, 68, 188, 188]
    assert data.bounds(np.zeros((256, 256, 4), np.uint8)) == [0, 0, 256, 256]


def test_a_sketch_has_lines_at_edges_and_none_in_areas() -> None:
    drawing = script("data").sketch(disc(60))
    assert drawing[128, 128] == 0
    assert drawing[10, 10] == 0
    row = drawing[128]
    assert row[65:71].max() > 200
    assert row[185:191].max() > 200


def test_halving_is_the_mean_of_two_by_two() -> None:
    pictures = np.arange(2 * 4 * 4 * 1, dtype=np.uint8).reshape(2, 4, 4, 1)
    halved = script("data").halve(pictures)
    assert halved.shape == (2, 2, 2, 1)
    assert halved[0, :, :, 0].tolist() == [[3, 5], [11, 13]]  # 2.5 rounds up


@given(st.integers(0, 10_000))
def test_prompts_name_subject_style_and_ground(seed: int) -> None:
    captions = script("captions")
    rng = np.random.default_rng(seed)
    text = captions.caption(record(), "3d", "teal", rng, keep_style=True)
    assert any(phrase in text for phrase in captions.STYLE_PHRASES["3d"])
    words = set(text.replace(",", " ").split())
    known = {"cat", "face", "kitty", "animal", "pet", "whiskers", "orange", "white", "and"}
    known |= {"teal", "background", "on"}
    assert words <= known | {"3d", "render", "glossy"}


def test_prompts_are_those_of_their_seed() -> None:
    caption = script("captions").caption
    twice = [caption(record(), "flat", None, np.random.default_rng(4)) for _ in range(2)]
    assert twice[0] == twice[1]
    many = {caption(record(), "flat", None, np.random.default_rng(s)) for s in range(40)}
    assert len(many) > 15


def test_tokenizer_pads_truncates_and_marks_unknown_words() -> None:
    captions = script("captions")
    tokenizer = captions.build_tokenizer(["cat", "face", "3d"])
    assert tokenizer.encode("Cat-Face, 3D!").ids[:4] == [2, 3, 4, 0]
    assert tokenizer.encode("zebra").ids[:2] == [1, 0]
    assert tokenizer.encode("").ids == [0] * captions.LENGTH
    assert len(tokenizer.encode("cat " * 99).ids) == captions.LENGTH


def test_distance_counts_colour_and_not_detail() -> None:
    measures = script("measures")
    flat = np.full((1, 64, 64, 3), 100, np.uint8)
    assert measures.distance(flat, flat) == 0
    assert measures.distance(flat, flat + 51) == pytest.approx(0.4, abs=1e-4)
    grain = flat.copy()
    grain[:, ::2, ::2] += 8
    grain[:, 1::2, 1::2] -= 8
    assert measures.distance(flat, grain) < 0.01


def test_nearest_finds_a_copy() -> None:
    measures = script("measures")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    library = measures.shrink(pictures, 32).reshape(6, -1)
    assert measures.nearest(pictures[2:3], library) == pytest.approx([0], abs=1e-2)
    assert measures.nearest(255 - pictures[:1], library)[0] > 0.5


def test_ssim_is_one_for_the_same_and_falls_with_noise() -> None:
    ssim, rng = script("measures").ssim, np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(0, 0.05, (48, 48, 3)), axis=0)
    noisy = [ssim(smooth, smooth + rng.normal(0, s, smooth.shape)) for s in (0.05, 0.3)]
    assert ssim(smooth, smooth) == pytest.approx(1)
    assert 1 > noisy[0] > noisy[1] > 0


def test_a_contact_page_has_rows_and_columns_in_order() -> None:
    rows = np.zeros((2, 3, 8, 8, 3), np.uint8)
    for k in range(6):
        rows[k // 3, k % 3] = 40 * k
    page = np.asarray(script("measures").contact(rows, 4))
    assert page.shape == (8, 12, 3)
    assert page[::4, ::4, 0].tolist() == [[0, 40, 80], [120, 160, 200]]


def measured(style: float, codec: float) -> dict[str, Any]:
    """A record like evaluate.py's, in which the judge is right about 80 % of real pictures."""
    real = {"pictures": 9, "style": 0.8, "subject_top1": 0.6, "subject_top5": 0.8}
    near = {"median": 0.3, "p5": 0.1}
    got = real | {"style": style, "to_target": 0.321, "structure_kept": 0.7}
    return {
        "evaluations": 12,
        "guidance": 3.0,
        "judge_on_real_held_out": real,
        "codec": {"128 px": {"psnr": codec, "ssim": 0.9}},
        "restyle": {"pairs": 9, "true": real, "source": got, "strengths": {"0.5": got}},
        "text_to_image": real
        | {"prompts": 5, "to_nearest_training_picture": near, "real_held_out_to_nearest": near},
    }


def test_the_committed_page_is_of_the_committed_measurements() -> None:
    report = script("report")
    page = report.page(report.load("pocket"), report.load("pocket-v0"))
    assert (report.DOCS / "pocket.md").read_text("utf-8") == page


def test_the_page_says_which_goals_are_met_and_shows_v0_only_where_measured() -> None:
    report = script("report")
    alone = report.page(measured(0.4, 38.4), None)
    assert "v0" not in alone
    assert "| style hits at 0.5, share of the judge's own | 90 % | 50 % | not met |" in alone
    assert "| codec at 128 px | 33 dB | 38.4 dB | met |" in alone
    both = report.page(measured(0.8, 30.0), measured(0.2, 29.0))
    assert "v0 at 128 px: 29.0 dB" in both
    assert "| 0.5 | 70 % | 0.321 | 0.321 | 80 % | 20 % | 80 % | 80 % |" in both
    assert "30.0 dB | not met |" in both


torch: Any = pytest.importorskip("torch")


def dressed(**amounts: float) -> Any:
    """A two-coloured disc, 64 px, changed by these parts of a disguise and no other."""
    disguise = script("disguise")
    absent = {"tones": 4.0, "saturation": 1.0, "gamma": 1.0}
    row = torch.tensor([[(absent | amounts).get(part, 0.0) for part in disguise.PARTS]])
    picture = disc(120)
    picture[:, 128:, :3] = np.where(picture[:, 128:, 3:] > 0, (45, 120, 215), 0)
    rgba = torch.from_numpy(picture[::4, ::4].copy()).permute(2, 0, 1)[None] / 255
    ink = torch.zeros(1, 1, 64, 64)
    ink[..., 30:34] = 1
    light = torch.linspace(-1, 1, 4).expand(1, 4, 4)
    return rgba, disguise.disguised(rgba, ink, row, light)


def test_an_empty_disguise_changes_nothing() -> None:
    before, after = dressed()
    assert torch.allclose(before, after, atol=2e-3)


@pytest.mark.parametrize(
    "amounts",
    [{"ink": 1.0}, {"light": 0.4}, {"grey": 1.0}, {"hue": 0.4}, {"gamma": 1.4}, {"flat": 1.0}],
    ids=str,
)
def test_a_disguise_changes_the_finish_and_not_the_outline(amounts: dict[str, float]) -> None:
    before, after = dressed(**amounts)
    assert float((before - after).abs().max()) > 0.1
    assert float((before[:, 3] - after[:, 3]).abs().amax()) <= amounts.get("ink", 0.0)
    assert bool((after[:, :3] <= after[:, 3:] + 1e-5).all())
    still = after[0, :3].amax(dim=0) > 0.02
    assert not bool((still & (before[0, 3] == 0)).any())


def test_disguises_are_often_partial() -> None:
    disguise, rng = script("disguise"), np.random.default_rng(0)
    drawn = np.array([disguise.draw_disguise(rng)[0] for _ in range(200)])
    for part in ("flat", "ink", "light", "blur", "grey"):
        share = float((drawn[:, disguise.PARTS.index(part)] > 0).mean())
        assert 0.02 < share < 0.7


def test_a_moved_part_is_bent_back() -> None:
    align = script("align")

    def face(eye: int) -> Any:
        picture = disc(120)[::2, ::2].copy()
        picture[50:66, eye : eye + 14, :3] = 20
        return torch.from_numpy(align.features(picture, [8, 8, 248, 248]))[None]

    source, target = face(36), face(46)
    bend, reached = align.align(source, target)
    assert bend.shape == (1, 2, 9, 9)
    assert float(reached) > float(align.agreement_of(source, target))
    apart = [float(((a - target)[:, 2:] ** 2).mean()) for a in (source, align.bent(source, bend))]
    assert apart[1] < apart[0] / 2
    assert float(bend[0, 0].min()) < -0.05  # looked up further left, where the source has its eye


def test_one_fluent_drawing_stands_for_the_others() -> None:
    rows = [record(style=s) for s in ("3d", "silhouette", "flat", "cartoon")]
    rows.append(record(style="3d", subject="dog"))
    assert script("align").stand_ins(rows).tolist() == [2, 2, 2, 3, 4]


def planner(records: list[dict[str, Any]], score: float) -> Any:
    """A Planner of these records, every pair agreeing by `score`, without the files of training."""
    batches = script("batches")
    made = batches.Planner.__new__(batches.Planner)
    made.records, made.crossed, made.usable = records, 1.0, np.arange(len(records))
    made.bends = np.full((1, 2, 9, 9), 0.1, np.float16)
    numbers = range(len(records))
    made.partners = {b: [(a, score, 0) for a in numbers if a != b] for b in numbers}
    return made


def test_half_of_what_crosses_is_shown_where_an_edit_begins() -> None:
    rows = [record(style=s, bounds=[20, 20, 240, 240]) for s in ("3d", "flat", "retro")]
    made, rng = planner(rows, 0.9), np.random.default_rng(1)
    drawn = [made.sample(rng) for _ in range(700)]
    samples = [s for s in drawn if s["start"] < 1]
    assert len(samples) > 550
    assert all(0 < s["t"] <= s["start"] for s in samples)
    begins = np.mean([s["t"] == s["start"] for s in samples])
    assert 0.42 < begins < 0.58
    lowest = script("batches").LOWEST_START
    assert lowest <= min(s["start"] for s in samples) < lowest + 0.05
    own = [s for s in samples if s["other"] == s["target"]]
    assert all(s["disguised"] or s["other_drawn"] != s["target_drawn"] for s in own)
    assert 0.2 < len(own) / len(samples) < 0.6


def test_without_a_prompt_nothing_crosses() -> None:
    rows = [record(style=s, bounds=[20, 20, 240, 240]) for s in ("3d", "flat", "retro")]
    made, rng = planner(rows, 0.9), np.random.default_rng(1)  # which crosses whenever it may
    samples = [made.sample(rng) for _ in range(400)]
    assert all((s["text"] == "") == (s["start"] == 1) for s in samples)
    assert 0.07 < np.mean([s["start"] == 1 for s in samples]) < 0.18


def test_drawings_that_fit_badly_cross_from_much_noise_only() -> None:
    rows = [record(style=s, bounds=[20, 20, 240, 240]) for s in ("3d", "flat", "retro")]
    made, rng = planner(rows, 0.5), np.random.default_rng(1)
    samples = [made.sample(rng) for _ in range(300)]
    starts = [s["start"] for s in samples if s["other"] != s["target"]]
    assert len(starts) > 50
    assert min(starts) >= script("batches").lowest_start(0.5) > 0.5


def test_the_batch_lies_on_the_path_between_both_pictures() -> None:
    batches = script("batches")
    target, other, eps = (torch.full((3, 1, 2, 2), v) for v in (1.0, -1.0, 10.0))
    t, start = torch.tensor([0.5, 0.25, 1.0]), torch.tensor([0.5, 0.5, 1.0])
    batch = batches.Batch(target, other, torch.zeros(3, 4), torch.zeros(3, 1, 1), t, start)
    middle = batch.noised(eps)[:, 0, 0, 0]
    assert middle.tolist() == pytest.approx([-0.5 + 5, 0.5 - 0.25 + 2.5, 10])
