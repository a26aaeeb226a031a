"""Where everything that is not committed lives: packages, pictures, checkpoints, logs."""

import os
import time
from pathlib import Path

ROOT = Path(os.environ.get("PARTWAY_TRAINING_DIR", "~/.cache/partway-training")).expanduser()
NPM = ROOT / "npm" / "node_modules"
DATA = ROOT / "data"
RUNS = ROOT / "runs"
HERE = Path(__file__).resolve().parent
SPLIT = HERE / "heldout.json"
CURVES = HERE / "curves"


def wait_while_paused() -> float:
    """Seconds spent waiting for the file PAUSE to go away."""
    begin = time.monotonic()
    while (ROOT / "PAUSE").exists():
        time.sleep(2)
    return time.monotonic() - begin
