"""Train the denoiser and its text encoder; stop and go on whenever you like.

    python train_denoiser.py --run base                    # starts, or goes on
    python train_denoiser.py --run base --decay-to 900000  # rate falls to 0 at so many pictures
    OMP_NUM_THREADS=1 python train_denoiser.py --processes 2   # on a machine that others use too

RUNS/<run>/last.pt is a complete checkpoint, written every few minutes: network, average, optimiser,
counters. Everything random follows from the seed and the step, so a resumed run sees what an
uninterrupted one would have seen. While a file PAUSE lies in ROOT, training waits; SIGTERM saves
and stops. RUNS/<run>/curve.jsonl is the log.

Loss: squared error of x0_hat over t^2, that is of the velocity. A crossed sample, whose velocity is
longer by (1 - s) / s of the pictures' difference, weighs s^2 / (s^2 + (1 - s)^2).
"""

import argparse
import json
import os
import re
import signal
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import distributed
from torch.multiprocessing import get_context

from batches import Batch, Painter, Planner, plans
from codec import load_codec
from model import Denoiser, Shape, TextEncoder, count, load_word_vectors
from muon import Muon
from paths import DATA, RUNS, wait_while_paused

BINS = 10
"""Noise levels are logged in tenths."""
AVERAGED = 0.06
"""Share of all pictures seen that the averaged weights remember."""
ENDS = re.compile(r"own|position|inlet|outlet|time|modulate")
"""Weights that meet words, latents or time: AdamW moves them, Muon the others."""


def fall(seen: int, arguments: argparse.Namespace) -> float:
    """1, then linear to 0 over the last `decay_over` pictures or the last `cool` minutes."""
    left = 1.0
    if arguments.decay_to:
        left = (arguments.decay_to - seen) / arguments.decay_over
    if arguments.finish:
        left = min(left, (arguments.finish - time.time()) / (60 * arguments.cool))
    return min(1.0, max(left, 0.0))


def clock(text: str) -> float:
    """HH:MM of this machine's clock -> the next such moment, in seconds since the epoch."""
    now = time.localtime()
    hour, minute = (int(part) for part in text.split(":"))
    today = time.mktime((*now[:3], hour, minute, 0, 0, 0, -1))
    return today if today > time.time() else today + 86_400


class Trainer:
    """Networks, average, optimiser and counters of one run."""

    def __init__(self, arguments: argparse.Namespace, rank: int):
        self.arguments, self.device, self.rank = arguments, arguments.device, rank
        self.folder = RUNS / arguments.run
        self.folder.mkdir(parents=True, exist_ok=True)
        self.codec = load_codec()
        vectors = load_word_vectors(DATA / "word_vectors.npy")
        widths = tuple(arguments.widths)
        self.shape = Shape(widths=widths, blocks=arguments.blocks, vocabulary=len(vectors))
        torch.manual_seed(arguments.seed)
        self.text = TextEncoder(self.shape, vectors)
        self.denoiser = Denoiser(self.shape, self.codec)
        self.modules = torch.nn.ModuleDict({"text": self.text, "denoiser": self.denoiser})
        self.modules.to(self.device, memory_format=torch.channels_last)
        state = self.modules.state_dict().items()
        self.average = {k: v.clone() for k, v in state if v.is_floating_point()}
        inside = dict(self.modules.named_parameters()) if arguments.muon else {}
        hidden = [p for name, p in inside.items() if p.ndim > 1 and not ENDS.search(name)]
        rest = [p for p in self.modules.parameters() if not any(p is q for q in hidden)]
        self.muon = Muon(hidden, rank, arguments.processes)
        self.optimiser = torch.optim.AdamW(
            rest, arguments.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self.step, self.seen, self.seconds, self.stopping = 0, 0, 0.0, False
        self.fall = 1.0
        self.network = torch.compile(self.denoiser) if arguments.compile else self.denoiser

    def save(self, name: str = "last") -> None:
        """Written beside and renamed, so that a kill leaves the previous checkpoint whole."""
        state = {
            "shape": self.shape.as_dict(),
            "modules": self.modules.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "muon": self.muon.state_dict(),
            "step": self.step,
            "seen": self.seen,
            "seconds": self.seconds,
        }
        partial = self.folder / f"{name}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / f"{name}.pt")

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=False)
        self.modules.load_state_dict(self.modules.state_dict() | state["modules"])
        self.average = state["average"]
        if state["optimiser"]:  # weights that came by slim.py have none
            self.optimiser.load_state_dict(state["optimiser"])
            self.muon.load_state_dict(state["muon"])
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]

    def precision(self):
        return torch.autocast(self.device, torch.bfloat16) if self.arguments.bf16 else nullcontext()

    def losses(self, batch: Batch, forget: float) -> torch.Tensor:
        """(B,) squared velocity error."""
        eps = torch.randn(batch.target.shape, device=self.device)
        x = batch.noised(eps).contiguous(memory_format=torch.channels_last)
        with self.precision():
            context = torch.cat([self.text(batch.ids, forget), batch.found], dim=1)
            estimate = self.network(x, 1000 * batch.t, context)
        t = batch.t.clamp_min(0.02).view(-1, 1, 1, 1)
        return (((estimate.float() - batch.target) / t) ** 2).mean(dim=(1, 2, 3))

    def update(self, batch: Batch) -> torch.Tensor:
        """One optimiser step; returns the losses."""
        arguments = self.arguments
        torch.manual_seed(1_000_003 * arguments.seed + self.step * arguments.processes + self.rank)
        self.fall = fall(self.seen, arguments)
        losses, s = self.losses(batch, forget=0.15), batch.start
        (losses * s**2 / (s**2 + (1 - s) ** 2)).mean().backward()
        if arguments.processes > 1:
            self.share_gradients()
        torch.nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
        rate = self.rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.muon.step(rate)
        self.modules.zero_grad(set_to_none=True)
        pictures = len(batch.t) * arguments.processes
        self.step, self.seen = self.step + 1, self.seen + pictures
        horizon = min(100_000, AVERAGED * self.seen) + pictures
        self.average_in(1 - pictures / horizon)
        return losses.detach()

    def rate(self) -> float:
        """Warm-up over 4,000 pictures, constant, then falling."""
        return self.arguments.rate * min(1.0, (self.seen + 1) / 4000) * self.fall

    def share_gradients(self) -> None:
        """Mean over all processes; two numbers more carry the wish to stop and the rate's fall."""
        gradients = [p.grad for p in self.modules.parameters()]
        wish = torch.tensor([float(self.stopping), self.fall], device=self.device)
        flat = torch.cat([*(g.flatten() for g in gradients), wish])
        distributed.all_reduce(flat)
        self.stopping = bool(flat[-2] > 0)
        self.fall = float(flat[-1]) / self.arguments.processes
        parts = (flat[:-2] / self.arguments.processes).split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def average_in(self, keep: float) -> None:
        current = self.modules.state_dict()
        mean, now = zip(*((v, current[k]) for k, v in self.average.items()), strict=True)
        torch._foreach_lerp_(mean, now, 1 - keep)

    @torch.no_grad()
    def validate(self, batches: list[Batch]) -> dict[str, float]:
        """Mean loss of the averaged weights on fixed held-out samples and noise."""
        state = self.modules.state_dict().items()
        own = {k: v.clone() for k, v in state if k in self.average}
        self.modules.load_state_dict(self.average, strict=False)
        torch.manual_seed(1)
        losses = torch.cat([self.losses(batch, 0.0) for batch in batches])
        plain = torch.cat([batch.start for batch in batches]) == 1
        self.modules.load_state_dict(own, strict=False)
        means = {"plain": losses[plain].mean(), "crossed": losses[~plain].mean()}
        return {name: round(mean.item(), 4) for name, mean in means.items()}


class Tally:
    """Mean losses by noise level since the last line of the log, plain and crossed."""

    def __init__(self) -> None:
        self.sums, self.counts = np.zeros((2, BINS)), np.zeros((2, BINS))

    def add(self, plan: dict[str, np.ndarray], losses: np.ndarray) -> None:
        level = np.minimum((plan["t"] * BINS).astype(int), BINS - 1)
        kind = (plan["start"] < 1).astype(int)
        np.add.at(self.sums, (kind, level), losses)
        np.add.at(self.counts, (kind, level), 1)

    def entry(self) -> dict:
        whole = self.sums.sum(1) / self.counts.sum(1)
        levels = np.round(self.sums / np.maximum(self.counts, 1), 3).tolist()
        self.__init__()
        return {
            "loss": round(float(whole[0]), 4), "crossed": round(float(whole[1]), 4),
            "by_level": levels[0], "crossed_by_level": levels[1],
        }  # fmt: skip


def train(trainer: Trainer, arguments: argparse.Namespace) -> None:
    """Until `decay_to`, `stop_at`, the time limit or SIGTERM."""
    painter = Painter(trainer.codec, arguments.device)
    held = Planner(held=True, crossed=0.5)
    checks = [painter.paint(held.plan(64, 7, k)) for k in range(4)]
    seed = arguments.seed + 1000 * trainer.rank
    stream = plans(Planner(), arguments.batch, seed, trainer.step, arguments.workers)
    signal.signal(signal.SIGTERM, lambda *_: setattr(trainer, "stopping", True))
    last_picture = arguments.decay_to or arguments.stop_at
    tally, since = Tally(), trainer.seen
    begin = saved = time.monotonic()
    with log_of(trainer).open("a", buffering=1) as curve:
        while not trainer.stopping and trainer.seen < last_picture:
            waited = wait_while_paused()
            begin, saved = begin + waited, saved + waited
            tick = time.monotonic()
            plan = next(stream)
            tally.add(plan, trainer.update(painter.paint(plan)).cpu().numpy())
            trainer.seconds += min(time.monotonic() - tick, 60.0)  # not a stop by signal
            if trainer.step % arguments.log_every == 0:
                entry = {
                    "seen": trainer.seen, "step": trainer.step,
                    "hours": round(trainer.seconds / 3600, 3),
                    "rate": round(trainer.rate(), 7), **tally.entry(),
                    "per_second": round((trainer.seen - since) / (time.monotonic() - begin), 1),
                }  # fmt: skip
                if trainer.step % (arguments.log_every * 5) == 0:
                    entry["held_out"] = trainer.validate(checks)
                curve.write(json.dumps(entry) + "\n")
            if trainer.rank == 0 and time.monotonic() - saved > arguments.save_every:
                trainer.save()
                saved = time.monotonic()
            if trainer.rank == 0 and trainer.fall == 1.0 > fall(trainer.seen, arguments):
                trainer.save("warm")  # a later run can go on from here at the full rate
            trainer.stopping |= trainer.fall == 0.0
            trainer.stopping |= time.monotonic() - begin > arguments.limit
    if trainer.rank == 0:
        trainer.save()
        print(f"stopped at {trainer.seen} pictures")


def log_of(trainer: Trainer) -> Path:
    """Only the first process writes."""
    return trainer.folder / "curve.jsonl" if trainer.rank == 0 else Path(os.devnull)


def run(rank: int, arguments: argparse.Namespace) -> None:
    """One process of the training."""
    if arguments.processes > 1:
        distributed.init_process_group(
            "gloo", f"file://{RUNS / arguments.run / 'meeting'}", timedelta(days=30),
            world_size=arguments.processes, rank=rank,
        )  # fmt: skip
    torch.set_float32_matmul_precision("high")
    trainer = Trainer(arguments, rank)
    last = trainer.folder / "last.pt"
    if last.exists() or arguments.start_from:
        trainer.resume(last if last.exists() else arguments.start_from)
    if rank == 0:
        sizes = f"{count(trainer.denoiser):.1f} M denoiser, {count(trainer.text):.1f} M text"
        print(f"{sizes}, from picture {trainer.seen}", flush=True)
    train(trainer, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cuda = torch.cuda.is_available()
    parser.add_argument("--run", default="base")
    parser.add_argument("--batch", type=int, default=48, help="pictures a step and process")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--widths", type=int, nargs=2, default=Shape.widths)
    parser.add_argument("--blocks", type=int, default=Shape.blocks)
    parser.add_argument("--muon", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--finish", type=clock, help="HH:MM at which the rate is 0")
    parser.add_argument("--cool", type=float, default=45, help="minutes that fall takes")
    parser.add_argument("--decay-to", type=int, default=0, help="pictures at which the rate is 0")
    parser.add_argument("--decay-over", type=int, default=200_000, help="pictures that fall takes")
    parser.add_argument("--stop-at", type=int, default=10**9, help="pictures seen")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds of this call")
    parser.add_argument("--save-every", type=float, default=420, help="seconds")
    parser.add_argument("--log-every", type=int, default=50, help="steps")
    parser.add_argument("--start-from", type=Path, help="checkpoint to begin a new run with")
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--workers", type=int, default=12 if cuda else 0, help="planning processes")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = RUNS / arguments.run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    others = range(1, arguments.processes)
    crew = [get_context("spawn").Process(target=run, args=(k, arguments)) for k in others]
    for process in crew:
        process.start()
    run(0, arguments)
    for process in crew:
        process.join()


if __name__ == "__main__":
    main()
