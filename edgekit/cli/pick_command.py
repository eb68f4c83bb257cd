"""``edgekit pick``: the best frames of a clip, or images of a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, FILES, OUTPUT, READING, inputs_argument, options
from edgekit.cli.terminal import name_file

if TYPE_CHECKING:
    from edgekit.batch.sources import Found
    from edgekit.cli.output import RunOutput


_GROUPS = {
    "Input and output": ("output", *FILES, "format", "force"),
    "Selection": ("count", "method", "window", "min_gap"),
    "Measurement": ("measure", "roi", "every", "rate"),
    "Reading": READING,
    "Batch": BATCH,
    MESSAGES: OUTPUT,
    "Engine": ENGINE,
}


@command(
    "pick", "Select the sharpest frames of a video, or images of a folder.",
    "edgekit pick video.mp4 -n 20 -o frames/",
    "edgekit pick photos/ --window 5 -o best/",
)  # fmt: skip
@inputs_argument()
@options("pick", _GROUPS)
def pick(inputs: tuple[str, ...], **values: Any) -> int:
    """Select the sharpest frames of a video, or images of a folder.

    INPUT is one video, or a folder, a glob in quotes, images, or URLs of images.

    Video frames are written with their time and number in the name. Images are copied unchanged. The files of an
    earlier selection in the same folder are replaced. picked.json lists the selected images and the reasons.
    """
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.picking import Picker, PickJob
    from edgekit.cli.engines import engine_for
    from edgekit.cli.output import RunOutput, skipped_counts
    from edgekit.common.read_options import ReadOptions

    method = values["method"] or ("windows" if values["window"] is not None else "spread")
    if method in ("spread", "best") and values["count"] is None:
        raise click.UsageError("give the number of images with -n, or the length of an interval with --window.")
    read_options = ReadOptions(**{k: values[k] for k in READING})
    job = PickJob(
        ScoreJob(
            values["measures"] or ("score",), values["roi"], values["every"], values["rate"], read_options=read_options
        ),
        method, values["count"], values["window"], values["min_gap"], f".{values['ending']}",
    )  # fmt: skip
    job.check()
    shown, picked, none = RunOutput(quiet=values["quiet"]), 0, "no images found"
    found, left_out = _find(inputs, values, shown)
    engine, _ = engine_for(found.sources, values, paths=inputs)
    picker = Picker(Path(values["folder"]), job, engine, force=values["force"])
    try:
        with shown:
            for one in picker.run(found.sources, shown.add):
                picked += 1
                shown.progress.clear()
                if values["as_json"]:
                    import json

                    click.echo(json.dumps(one.record()))
                elif not values["quiet"]:
                    name_file(one.output)
    except KeyboardInterrupt:
        none = "nothing scored"
        raise
    finally:
        tally = shown.tally
        counts = ((picked, "picked"), (tally.succeeded, "scored"), (tally.failed, "failed"))
        shown.summarize(counts, skipped_counts(found.skipped, left_out), none=none)
    return tally.exit_status


def _find(inputs: tuple[str, ...], values: dict[str, Any], shown: "RunOutput") -> "tuple[Found, int]":
    """Return the inputs outside the output folder, and the number of results that were left out."""
    from edgekit.batch.sources import collect
    from edgekit.cli.state_paths import open_results
    from edgekit.errors import ParameterError
    from edgekit.io.urls import is_url, redacted

    if is_url(values["folder"]):
        raise ParameterError(f"{redacted(values['folder'])}: the output must be a folder on this machine; choose one")
    chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
    with open_results(targets=[Path(values["folder"])], quiet=values["quiet"]) as results:
        return collect(inputs, results=results, on_read=shown.progress.listed, **chosen), results.left_out
