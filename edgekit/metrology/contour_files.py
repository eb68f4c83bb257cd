"""Contours as text: CSV, JSON, SVG and GeoJSON. May import `common`."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgekit.metrology.edge_contours import Contour

#: The columns of CSV files.
COLUMNS = ("contour", "x", "y", "strength", "direction", "width", "error", "closed", "start_junction", "end_junction")


def contour_record(contour: Contour) -> dict[str, Any]:
    """Return a contour for JSON, which has no NaN or infinity: None instead."""
    return {
        "closed": contour.closed,
        "junctions": list(contour.junctions),
        "length": round(contour.length, 4),
        "points": [[round(x, 5), round(y, 5)] for x, y in contour.points.tolist()],
        **{name: _rounded(getattr(contour, name)) for name in ("strength", "direction", "width", "error")},
    }


def as_csv(contours: Sequence[Contour], size: tuple[int, int]) -> str:
    """Return a table with a row for each point."""
    return "".join(_csv_lines(contours))


def as_json(contours: Sequence[Contour], size: tuple[int, int]) -> str:
    """Return an object with the width and height of the image, and its contours."""
    width, height = size
    return json.dumps({"width": width, "height": height, "contours": list(map(contour_record, contours))})


def as_geojson(contours: Sequence[Contour], size: tuple[int, int]) -> str:
    """Return a feature for each contour, with coordinates in pixels: x to the right, y downward.

    Closed contours are polygons, others lines.
    """
    features = []
    for contour in contours:
        record = contour_record(contour)
        points = record["points"] + record["points"][:1] * contour.closed
        if contour.closed and len(points) > 3:
            shape = {"type": "Polygon", "coordinates": [points]}
        elif len(points) > 1:
            shape = {"type": "LineString", "coordinates": points}
        else:
            shape = {"type": "Point", "coordinates": points[0]}
        means = {name: _mean(record[name]) for name in ("strength", "width", "error")}
        known = {name: record[name] for name in ("closed", "junctions", "length")}
        features.append({"type": "Feature", "geometry": shape, "properties": {**known, **means}})
    return json.dumps({"type": "FeatureCollection", "features": features})


def as_svg(contours: Sequence[Contour], size: tuple[int, int]) -> str:
    """Return paths over an area of the size of the image. The centre of the upper left pixel is at (0.5, 0.5)."""
    width, height = size
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<g transform="translate(0.5 0.5)" fill="none" stroke="#d55e00" stroke-width="0.5">',
    ]
    for contour in contours:
        places = "L".join(f"{x:.4f} {y:.4f}" for x, y in contour.points.tolist())
        lines.append(f'<path d="M{places}{"Z" if contour.closed else ""}"/>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


#: The functions that write contours, by the ending of the file.
WRITERS: dict[str, Callable[[Sequence[Contour], tuple[int, int]], str]] = {
    ".csv": as_csv,
    ".json": as_json,
    ".svg": as_svg,
    ".geojson": as_geojson,
}


def _csv_lines(contours: Sequence[Contour]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\n"
    for number, contour in enumerate(contours, 1):
        ends = ",".join(str(int(flag)) for flag in (contour.closed, *contour.junctions))
        columns = (contour.strength, contour.direction, contour.width, contour.error)
        for (x, y), *values in zip(contour.points.tolist(), *(c.tolist() for c in columns), strict=True):
            numbers = ",".join(f"{value:.6g}" if math.isfinite(value) else "" for value in values)
            yield f"{number},{x:.5f},{y:.5f},{numbers},{ends}\n"


def _rounded(values: Any) -> list[float | None]:
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(f"{sum(known) / len(known):.6g}") if known else None
