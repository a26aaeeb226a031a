"""Choose what is never trained on, once: `python make_split.py PAIRS.json MORE.json SEED` writes
heldout.json.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

from paths import SPLIT
from subjects import list_pictures


def main() -> None:
    pairs, singles, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    listed = [
        (p["target"]["style"], p["subject"].replace(" ", "-"))
        for p in json.loads(pairs.read_text())["pairs"]
    ]
    listed += [(p["style"], p["subject"]) for p in json.loads(singles.read_text())]
    styles = Counter(r["subject"] for r in list_pictures())
    whole = random.Random(seed).sample(sorted(s for s, n in styles.items() if n >= 7), 60)
    content = {
        "note": "never trained on: `subjects` in every style, `pictures` in the one style named",
        "seed": seed,
        "subjects": sorted(whole),
        "pictures": [
            {"style": style, "subject": subject} for style, subject in sorted(set(listed))
        ],
    }
    SPLIT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
