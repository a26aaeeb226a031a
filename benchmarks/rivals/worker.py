"""One program with one checkpoint, loaded once and timed on demand, in an environment of its own.

    python worker.py PROGRAM VARIANT CHECKPOINT

PROGRAM is the name of a module beside this one, with

    load(checkpoint, variant) -> edit(source, prompt, strengths, steps) -> (pictures, evaluations)

    source       (H, W, 3) uint8
    strengths    one, or several in the way that is fastest there
    pictures     (H, W, 3) uint8 each
    evaluations  steps that the network was asked for, of two rows each, counted while it ran

Jobs come as lines of JSON on standard input: {"source": NPY file, "prompt": text, "steps": N,
"strengths": [...], "pictures": NPY file}; answers go out the same way, first that it is ready.
Whatever the programs print goes to standard error.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np

prompt, NEGATIVE = "a red house", ""
GUIDANCE = 5.0
SEED = 1


def main() -> None:
    """Answer jobs until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    program, variant, checkpoint = sys.argv[1:]

    def say(**facts: object) -> None:
        answers.write(json.dumps(facts) + "\n")

    began = time.perf_counter()
    module = import_module(program)
    edit = module.load(Path(checkpoint), variant)
    say(ready=time.perf_counter() - began, about=module.about())
    for line in sys.stdin:
        job = json.loads(line)
        source = np.load(job["source"])
        wall, cpu = time.perf_counter(), time.process_time()
        pictures, evaluations = edit(source, job["prompt"], job["strengths"], job["steps"])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        np.save(job["pictures"], np.stack(pictures))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        say(wall=wall, processor=cpu, evaluations=evaluations, peak_gib=round(peak, 2))


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
