"""``edgekit pick``: the best frames of a clip, or images of a folder."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, FILES, OUTPUT, READING, inputs_argument, options
from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.sources import Found
    from edgekit.cli.output import RunOutput


_GROUPS = {
    "Input and output": ("output", *FILES, "format", "depth", "force"),
    "Selection": ("count", "burst", "method", "window", "min_gap", "above"),
    "Measurement": ("measure", "roi", "every", "rate", "start", "end"),
    "Reading": READING,
    "Batch": BATCH,
    MESSAGES: OUTPUT,
    "Engine": ENGINE,
}


@command(
    "pick", "Select the sharpest frames of a video, or images of a folder.",
    "edgekit pick video.mp4 -n 20 -o frames/",
    "edgekit pick video.mp4 -n 6 --start 4 --end 10 -o frames/ --format tif",
    "edgekit pick photos/ --burst 2s -o best/",
)  # fmt: skip
@inputs_argument()
@options("pick", _GROUPS)
def pick(inputs: tuple[str, ...], **values: Any) -> int:
    """Select the sharpest frames of a video, or images of a folder.

    INPUT is one video, or a folder, a glob in quotes, images, or URLs of images.

    Video frames are written with their time and number in the name. Frames during which the camera does not move count
    as one moment; the N intervals of a video are equal parts of the path of the camera. Images are copied
    unchanged. The files of an earlier selection in the same folder are removed, unless their originals are gone or
    were changed. picked.json lists the selected images and the reasons.
    """
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.picking import Picker, PickJob
    from edgekit.batch.scoring import is_video_source
    from edgekit.cli.engines import engine_for
    from edgekit.cli.output import RunOutput, no_images, skipped_counts
    from edgekit.common.read_options import ReadOptions

    method = values["method"] or ("windows" if values["window"] is not None else "spread")
    burst = values["burst"]
    if burst is not None and (values["method"] or values["window"] is not None or values["min_gap"]):
        raise click.UsageError("--burst selects the best of each moment; leave out --method, --window and --min-gap.")
    if burst is None and method in ("spread", "best") and values["count"] is None:
        raise click.UsageError("give the number of images with -n, an interval with --window, or --burst.")
    deep = values["depth"] == "16" or (values["depth"] is None and values["ending"] == "tif")
    if deep and values["ending"] not in ("png", "tif"):
        raise click.UsageError(f"{values['ending']} holds 8 bits; --depth 16 needs --format png or tif.")
    measured = ScoreJob(
        values["measures"] or ("score",), values["roi"], values["every"], values["rate"],
        read_options=ReadOptions(**{k: values[k] for k in READING}), start=values["start"], end=values["end"],
    )  # fmt: skip
    limits = {name: values[name] for name in ("count", "window", "min_gap", "burst", "above")}
    job = PickJob(measured, method, ending=f".{values['ending']}", depth=16 if deep else 8, **limits)
    job.check()
    shown, picked = RunOutput(quiet=values["quiet"]), 0
    found, left_out = _find(inputs, values, shown)
    if burst is not None:
        job = replace(job, score=replace(measured, fingerprints="detail"))
    elif any(map(is_video_source, found.sources)):
        job = replace(job, score=replace(measured, fingerprints="likeness"))
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
    finally:
        tally = shown.tally
        counts = ((picked, "picked"), (tally.succeeded, "scored"), (tally.failed, "failed"))
        none = "nothing scored" if found.sources else no_images(inputs, recursive=values["recursive"])
        shown.summarize(counts, skipped_counts(found.skipped, left_out), none=none)
    for message in () if values["quiet"] else picker.kept:
        complain(message)
    if job.compares and burst is None and not values["quiet"] and picked < (values["count"] or 0):
        complain(f"{picked} of {values['count']}: the other frames show the same moments, or are too near")
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
