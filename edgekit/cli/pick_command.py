"""``edgekit pick``: the best frames of a clip, or images of a folder."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import ENGINE, READING, Place, options
from edgekit.cli.progress import open_bar, skips, summary
from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.score_cache import Row
    from edgekit.batch.sources import Found


@click.command(short_help="Pick the sharpest frames of a clip, or images of a folder.")
@click.argument("inputs", type=Place(), nargs=-1, required=True, metavar="INPUT...")
@options(
    ("folder", "count", "method_of_choice", "window", "min_gap", "measure", "roi", "every", "rate", "frame_format",
     *READING, "recursive", "include", "exclude", *ENGINE, "force", "json", "quiet", "debug")
)  # fmt: skip
def pick(inputs: tuple[str, ...], **values: Any) -> int:
    """Pick the sharpest frames of a clip, or images of a folder, spread over it.

    INPUT is one video, or a folder, a glob in quotes, images, or URLs of images. Frames are written with their time
    and number in the name; images are copied as they are, in place of what an earlier pick put there. What was chosen
    and why stands in picked.json. Windows and gaps are in seconds of a clip, in images of a folder.
    """
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.picking import Picker, PickJob
    from edgekit.cli.engines import engine_for
    from edgekit.common.read_limits import Limits

    method = values["method"] or ("windows" if values["window"] is not None else "spread")
    if method in ("spread", "best") and values["count"] is None:
        raise click.UsageError("say how many to pick with -n, or how long a window is with --window.")
    limits = Limits(values["max_pixels"], values["truncated"])
    job = PickJob(
        ScoreJob(values["measures"] or ("score",), values["roi"], values["every"], values["rate"], limits),
        method, values["count"], values["window"], values["min_gap"], f".{values['ending']}",
    )  # fmt: skip
    job.check()
    found, left_out = _found(inputs, values)
    engine, _ = engine_for(found.sources, values, named=inputs)
    picker = Picker(Path(values["folder"]), job, engine, force=values["force"])
    begun, scored, failed = time.monotonic(), 0, []
    bar = open_bar(None, quiet=values["quiet"])

    def tell(row: "Row") -> None:
        nonlocal scored
        scored += 1
        if row.status == "failed":
            failed.append(row.reason)
        if bar is not None:
            bar.update()

    picked, none = 0, "no images found"
    try:
        for one in picker.run(found.sources, tell):
            picked += 1
            if values["as_json"]:
                import json

                click.echo(json.dumps(one.record()))
            elif not values["quiet"]:
                name_file(one.output)
    except KeyboardInterrupt:
        none = "nothing scored"
        raise
    finally:
        if bar is not None:
            bar.close()
        for reason in failed:
            complain(reason)
        if not values["quiet"]:
            counts = ((picked, "picked"), (scored - len(failed), "scored"), (len(failed), "failed"))
            click.echo(summary(counts, skips(found.passed_over, left_out), begun, none=none), err=True)
    return 1 if failed else 0


def _found(inputs: tuple[str, ...], values: dict[str, Any]) -> "tuple[Found, int]":
    """Return what to pick from, and how many results were left out: nothing is picked from the output folder."""
    from edgekit.batch.sources import collect
    from edgekit.cli.state_paths import results_of
    from edgekit.errors import ParameterError
    from edgekit.io.urls import is_url, redacted

    if is_url(values["folder"]):
        raise ParameterError(
            f"{redacted(values['folder'])}: what is picked goes into a folder of this machine; name one"
        )
    chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
    with results_of(target=Path(values["folder"]), quiet=values["quiet"]) as results:
        return collect(inputs, results=results, **chosen), results.left_out
