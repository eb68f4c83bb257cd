"""Scores many images: each file once, whatever happens in between."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from edgekit.batch.book import Book, Row
from edgekit.batch.inputs import Source
from edgekit.batch.runner import in_order
from edgekit.batch.score_job import ScoreJob
from edgekit.display import to_display
from edgekit.errors import EdgekitError
from edgekit.io.reading import decode, read_bytes, status_of
from edgekit.io.writing import encode, place
from edgekit.scores import sharpness_map


def score_files(
    sources: Iterable[Source],
    job: ScoreJob,
    book: Book,
    *,
    workers: int = 1,
    maps: Path | None = None,
    anew: bool = False,
) -> Iterator[Row]:
    """Give a row for each file, from the book if it was measured before as it is now.

    Parameters
    ----------
    sources : iterable of Source
        Taken as they come; the rows keep their order.
    job : ScoreJob
        What to measure.
    book : Book
        Keeps each row as soon as it is measured.
    workers : int
        Threads that decode and measure.
    maps : Path, optional
        A folder for pictures of where each image is sharp.
    anew : bool
        Measure everything, whatever the book says.
    """
    for row, fresh in in_order(partial(_done, job=job, maps=maps), _begun(sources, book, maps, anew), workers):
        if fresh:
            book.keep(row)
        yield row


#: A source to be measured with its row so far, or a finished row.
_Begun = tuple[Source | None, Row]


def _begun(sources: Iterable[Source], book: Book, maps: Path | None, anew: bool) -> Iterator[_Begun]:
    for source in sources:
        path = str(source.path)
        try:
            status = status_of(source.path)
        except EdgekitError as error:
            yield None, Row(path, 0, 0, None, None, (), "failed", str(error))
            continue
        drawn = maps is None or map_of(source, maps).exists()
        known = book.met(path, status.st_size, status.st_mtime_ns) if drawn and not anew else None
        if known is not None:
            yield None, known
        else:
            yield source, Row(path, status.st_size, status.st_mtime_ns, None, None, (), "", "")


def _done(begun: _Begun, job: ScoreJob, maps: Path | None) -> tuple[Row, bool]:
    """Measure what is to be measured; tell whether the row is new."""
    source, row = begun
    if source is None:
        return row, row.status == "failed"
    try:
        data = read_bytes(source.path)
        scored = job.run(data, row.path)
        if maps is not None:
            shown = to_display(sharpness_map(decode(data, row.path, colour=False)), white=1.0)
            place(encode(shown.image, ".png"), map_of(source, maps))
    except EdgekitError as error:
        return row._replace(status="failed", reason=str(error)), True
    except Exception as error:  # One file must not end the run.
        return row._replace(status="failed", reason=f"{row.path}: {type(error).__name__}: {error}"), True
    width, height, values = scored
    return row._replace(width=width, height=height, values=values, status=scored.status), True


def map_of(source: Source, maps: Path) -> Path:
    """Return where the picture of a file's sharpness lies; two files that differ only in their ending keep theirs."""
    return maps / source.relative.parent / f"{source.relative.name}.sharpness.png"
