"""`partway check`: does the dial keep its promises on a checkpoint with its real weights?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from partway import check as questions
from partway import images
from partway.engine import Engine
from partway.errors import InvalidRequest, ModelError
from partway.examples import EXAMPLES, PHOTOGRAPH
from partway.families import profile_of, with_loras
from partway.interfaces.cli.inputs import configured_model, read_file, read_prompt
from partway.interfaces.cli.outputs import Naming, settle
from partway.interfaces.cli.report import Reporter, emit
from partway.interfaces.cli.running import interruptible
from partway.interfaces.cli.values import Registered
from partway.request import PRECISIONS, RUNTIMES, EditRequest

if TYPE_CHECKING:
    from partway.check import Finding

MARKS = {True: "pass", False: "FAIL", None: "skip"}
PROMPT = "a watercolour painting of a cat"  # of the photograph that comes with Partway
STEPS = 8  # of a full run: promises hold at any number, and few are soon rendered


@click.command("check")
@click.argument("source", required=False)
@click.option("-m", "--model", metavar="MODEL", help="Checkpoint to check; as for an edit.")
@click.option("-p", "--prompt", metavar="TEXT", help="What the edits go towards.")
@click.option("--lora", "loras", multiple=True, metavar="FILE[:WEIGHT]", help="As for an edit.")
@click.option("--full-steps", type=int, help="Of each edit. [default: 8, or the model's own fewer]")
@click.option(
    "--precision",
    type=Registered("precision", PRECISIONS),
    default="fp32",
    show_default=True,
    help="Of the network; only in fp32 can pictures agree with diffusers' to the last level.",
)
@click.option(
    "--runtime",
    type=Registered("runtime", RUNTIMES),
    default="auto",
    show_default=True,
    help="As for an edit; pictures on openvino are compared with diffusers' on torch in fp32.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="The contact sheet. [default: check-{model}.png here]"
)
@click.option("--force", is_flag=True, help="Overwrite the file that -o names.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout, one per question.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
def command(
    *,
    source: str | None,
    model: str | None,
    prompt: str | None,
    full_steps: int | None,
    output: str | None,
    as_json: bool,
    quiet: bool,
    force: bool,
    **fields: Any,
) -> None:
    """Ask a checkpoint for the dial's promises and for agreement with the installed diffusers.

    SOURCE is a picture of the kind you edit; without one, an example that comes with Partway.
    About 20 edits are made. The exit code is 1 where a promise is broken.
    """
    report = Reporter(quiet=quiet, as_json=as_json)
    chosen = configured_model(model)
    if chosen is None:
        raise InvalidRequest("check needs a model: partway check -m CHECKPOINT")
    profile = with_loras(profile_of(chosen), fields["loras"])
    if profile.conditioning != "prompt":
        raise InvalidRequest(f"{profile.name} follows pictures, not words: there is no check of it")
    shown = EXAMPLES[0].file if profile.artwork_only else PHOTOGRAPH
    data = shown.read_bytes() if source is None else read_file(source)
    images.load(data, source or shown.name)
    words = EXAMPLES[0].prompt if profile.artwork_only else PROMPT
    request = EditRequest(
        source=data,
        prompt=words if prompt is None else read_prompt(prompt),
        model=chosen,
        full_steps=min(STEPS, profile.default_steps) if full_steps is None else full_steps,
        **fields,
    )
    naming = Naming(Path(), f"check-{profile.name.replace('/', '-')}", 0.0, request.seed, chosen)
    target = settle(output, [naming], pattern="{stem}.png", force=force)[0]
    engine = Engine()
    findings: list[Finding] = []

    def say(found: Finding) -> None:
        findings.append(found)
        if as_json:
            emit({"question": found.name, "passed": found.passed, "detail": found.detail})
        else:
            click.echo(f"{MARKS[found.passed]}  {found.name:<28} {found.detail}")

    with interruptible() as cancel:
        sheet = questions.check(engine, partial(engine.run, cancel=cancel), profile, request, say)
    path = target.write(lambda name, _: images.encode(sheet, name))
    report.say(f"contact sheet: {path}")
    broken = [found.name for found in findings if found.passed is False]
    if broken:
        raise ModelError(f"{profile.name} does not keep: {', '.join(broken)}")
