"""One name for one subject across nine artwork sets, and the words that describe it.

The sets name their files differently (`moneybag`, `money-bag`, `1f4b0.webp`). A subject is
identified by its Unicode code points where any set's own table knows them, else by the set's own
key. Words come from emojibase (labels, tags) and emojilib (keywords).
"""

import json
import re
from functools import cache
from pathlib import Path

from paths import NPM

STYLES = {
    "3d": "@lobehub/fluent-emoji-3d",
    "gradient": "@iconify-json/fluent-emoji",
    "flat": "@iconify-json/fluent-emoji-flat",
    "silhouette": "@iconify-json/fluent-emoji-high-contrast",
    "cartoon": "@iconify-json/noto",
    "blob": "@iconify-json/noto-v1",
    "sticker": "@iconify-json/twemoji",
    "clipart": "@iconify-json/emojione",
    "retro": "@iconify-json/fxemoji",
}
"""Style word -> npm package whose artwork shows it. `sketch` is computed from all of them
(render.py).
"""

SKIN = re.compile(
    r"(light|medium|dark)(-skin-tone)?(-facing-right|-red-hair|-white-hair|-curly-hair|-bald|-beard)?$"
)
SKIN_CODES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
DROPPED = re.compile(
    r"keycap|^flag-(?!in-hole)|flag$|regional|^[0-9a-z]$|^(asterisk|number-sign|hash)$|skin-?tone|skintype"
)
KEPT_FLAGS = {
    "chequered-flag",
    "pirate-flag",
    "rainbow-flag",
    "transgender-flag",
    "triangular-flag",
    "black-flag",
    "white-flag",
}
SPLIT_WORDS = re.compile(r"[a-z0-9]+")


def bare_hexcode(hexcode: str) -> str:
    """Upper-case code points without variation selectors."""
    return "-".join(part for part in hexcode.upper().split("-") if part != "FE0F")


@cache
def icon_set(package: str) -> dict:
    """The parsed icons.json of one @iconify-json package."""
    return json.loads((NPM / package / "icons.json").read_text())


@cache
def emojibase() -> dict[str, dict]:
    """hexcode -> {label, tags} for every base picture (no skin-tone variants)."""
    entries = json.loads((NPM / "emojibase-data/en/data.json").read_text())
    return {
        bare_hexcode(e["hexcode"]): {
            "label": e["label"],
            "tags": e.get("tags", []),
            "emoji": e["emoji"],
        }
        for e in entries
    }


@cache
def emojilib() -> dict[str, list[str]]:
    """hexcode -> keywords."""
    table = json.loads((NPM / "emojilib/dist/emoji-en-US.json").read_text())
    return {
        bare_hexcode("-".join(f"{ord(c):X}" for c in emoji)): words
        for emoji, words in table.items()
    }


@cache
def hexcode_of_name() -> dict[str, str]:
    """Name without separators -> hexcode, from labels and from every table that ships with the
    sets.
    """
    table: dict[str, str] = {}
    for package in (p for p in STYLES.values() if "iconify" in p):
        chars = NPM / package / "chars.json"
        if chars.exists():
            for code, key in json.loads(chars.read_text()).items():
                table.setdefault(squash(key), bare_hexcode(code))
    for code, entry in emojibase().items():
        table.setdefault(squash(entry["label"]), code)
    for package in (p for p in STYLES.values() if "iconify" in p):
        for alias, target in icon_set(package).get("aliases", {}).items():
            if squash(target["parent"]) in table and not target.get("hFlip"):
                table.setdefault(squash(alias), table[squash(target["parent"])])
    return table


def squash(name: str) -> str:
    """Letters and digits only, lower case: `Money-bag` and `moneybag` become one."""
    return "".join(SPLIT_WORDS.findall(name.lower()))


def known_words() -> dict[str, int]:
    """Word -> how often the labels and keys use it; for cutting run-together names apart."""
    counts: dict[str, int] = {}
    names = [entry["label"] for entry in emojibase().values()]
    names += [
        key
        for p in STYLES.values()
        if "iconify" in p and "fx" not in p
        for key in icon_set(p)["icons"]
    ]
    names += [word for words in emojilib().values() for word in words]
    for name in names:
        for word in SPLIT_WORDS.findall(name.lower()):
            counts[word] = counts.get(word, 0) + 1
    return counts


def cut_words(name: str, counts: dict[str, int]) -> list[str]:
    """`frontfacingchick` -> front facing chick: the fewest known words, longest first."""
    best: list[list[str] | None] = [[]] + [None] * len(name)
    for end in range(1, len(name) + 1):
        for start in range(max(0, end - 16), end):
            word, head = name[start:end], best[start]
            if head is None or (word not in counts or (len(word) < 3 and counts[word] < 20)):
                continue
            if best[end] is None or len(head) + 1 < len(best[end]):
                best[end] = [*head, word]
    return best[-1] or [name]


def list_pictures() -> list[dict]:
    """Every usable picture: style, package, key, subject, name and words."""
    counts, found = known_words(), {}
    for style, package in STYLES.items():
        for key, hexcode in picture_keys(package):
            code = hexcode or hexcode_of_name().get(squash(key))
            if not wanted(key, code):
                continue
            entry = emojibase().get(code or "", {})
            words = SPLIT_WORDS.findall(key.lower())
            words = cut_words(key, counts) if "fx" in package else words
            if "lobehub" in package:
                words = []
                if not entry:
                    continue
            label = (
                " ".join(SPLIT_WORDS.findall(entry["label"].lower())) if entry else " ".join(words)
            )
            record = {
                "style": style, "package": package, "key": key, "hexcode": code,
                "subject": label.replace(" ", "-"), "name": label,
                "synonyms": sorted({" ".join(words), *synonyms(code)} - {label, ""}),
                "keywords": keywords(code),
            }  # fmt: skip
            found.setdefault((style, record["subject"]), record)
    return list(found.values())


def picture_keys(package: str) -> list[tuple[str, str | None]]:
    """(key, hexcode if the file name tells) of one package."""
    if "lobehub" in package:
        files = sorted((NPM / package / "assets").glob("*.webp"))
        return [(f.stem, bare_hexcode(f.stem)) for f in files]
    return [(key, None) for key in sorted(icon_set(package)["icons"])]


def wanted(key: str, hexcode: str | None) -> bool:
    """No skin-tone variants, country flags, keycaps or single letters."""
    parts = set((hexcode or "").split("-"))
    if (
        parts & SKIN_CODES
        or "20E3" in parts
        or any(p.startswith("1F1") and len(p) == 5 and p >= "1F1E6" for p in parts)
    ):
        return False
    if hexcode in emojibase():
        return "E007F" not in parts
    return key in KEPT_FLAGS or not (SKIN.search(key) or DROPPED.search(key))


def synonyms(hexcode: str | None) -> set[str]:
    """Other whole names: the first emojilib entry is one."""
    words = emojilib().get(hexcode or "", [])
    return {" ".join(SPLIT_WORDS.findall(words[0].lower()))} if words else set()


def keywords(hexcode: str | None) -> list[str]:
    """Single topics, such as `animal` or `sad`."""
    words = (
        emojibase().get(hexcode or "", {}).get("tags", []) + emojilib().get(hexcode or "", [])[1:]
    )
    clean = {" ".join(SPLIT_WORDS.findall(word.lower().replace("_", " "))) for word in words}
    return sorted(word for word in clean if len(word) > 2)


def svg_of(package: str, key: str) -> str:
    """A whole SVG document for one icon."""
    table = icon_set(package)
    icon = table["icons"][key]
    width, height = (icon.get(side, table.get(side, 16)) for side in ("width", "height"))
    left, top = icon.get("left", 0), icon.get("top", 0)
    body = icon["body"].replace("currentColor", "#000")
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="{left} {top} {width} {height}">{body}</svg>'


def asset_path(package: str, key: str) -> Path:
    """The ready-made picture of a package that ships pictures."""
    return NPM / package / "assets" / f"{key}.webp"
