"""Runs on a store: existing results, killed runs, worker processes, and the table of faults."""

import csv
import importlib
import io
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from bucket import photo
from command_line import run
from sampling import on_full

from edgekit.batch.engines.processes import WorkerLimits
from edgekit.io import store_requests
from edgekit.io.files import read_bytes

#: Enough images for a run with worker processes.
MANY = 66


def test_second_run_processes_only_changed_images(store):
    store.photos(4)
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    assert "4 done" in run(*command).stderr
    store.put("photos/1.png", photo(77))
    store.faulty.requests.clear()
    again = run(*command)
    assert "1 done, 3 up to date" in again.stderr
    assert (store.requests("GET"), store.requests("PUT")) == (1, 1)
    assert "4 done" in run("sobel", "--scale", "raw", *command[1:]).stderr


def test_existing_objects_are_not_overwritten(store):
    store.photos(1)
    store.put("edges/0.sobel.png", b"somebody's")
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    refused = run(*command)
    assert refused.exit_code == 1
    assert "edges/0.sobel.png: there is a file that edgekit did not write" in refused.stderr
    assert store.get("edges/0.sobel.png") == b"somebody's"
    assert run(*command, "--force").exit_code == 0
    assert store.get("edges/0.sobel.png") != b"somebody's"


def test_runs_are_resumed_when_an_object_was_not_logged(store, monkeypatch):
    from edgekit.batch.output_log import OutputLog

    store.photos(3)
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/", "-j", "1")
    add = OutputLog.add

    def killed(self, output, *rest):
        if output.name.startswith("1"):
            raise KeyboardInterrupt
        add(self, output, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(OutputLog, "add", killed)
        assert run(*command).exit_code == 130
    assert "edges/1.sobel.png" in store.names()
    again = run(*command)
    assert (again.exit_code, "2 done, 1 up to date" in again.stderr) == (0, True), again.stderr
    # After a change it counts as an object of others.
    store.put("edges/1.sobel.png", b"somebody's")
    assert "edgekit did not write" in run(*command).stderr


@pytest.mark.parametrize("output", ["scores.parquet", *on_full("scores.csv", "scores.jsonl")])
def test_rows_are_written_to_a_store_and_resumed(store, output):
    store.photos(3)
    command = ("score", f"{store.url}/photos", "-o", f"{store.url}/out/{output}")
    assert run(*command).exit_code == 0
    before = store.get(f"out/{output}")
    count = {
        ".csv": lambda: len(list(csv.DictReader(io.StringIO(before.decode())))),
        ".jsonl": lambda: len(before.splitlines()),
        ".parquet": lambda: pyarrow.parquet.read_table(io.BytesIO(before)).num_rows,
    }
    assert count[Path(output).suffix]() == 3
    store.faulty.requests.clear()
    assert run(*command).exit_code == 0
    assert store.get(f"out/{output}") == before
    assert not any(store.requests("GET", f"photos/{n}.png") for n in range(3))


def script(monkeypatch):
    """Return scripts/faults/store_faults.py as a module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    return importlib.import_module("faults.store_faults")


@pytest.mark.full
def test_table_of_store_faults(store, monkeypatch):
    faults = script(monkeypatch)
    monkeypatch.setattr(faults, "HALT", 1.2)
    table = [line.split(" | ") for line in faults.faults(6, 32, 8)[2:]]
    assert len(table) == len(faults.FAULTS)
    assert all(row[4] == "0 of 6" for row in table)
    assert [int(row[2]) > 0 for row in table].count(True) >= 5
    monkeypatch.setattr(store_requests, "ATTEMPTS", 1)
    assert any(row.split(" | ")[4] != "0 of 6" for row in faults.faults(6, 32, 8)[2:])


@pytest.mark.parametrize("method", ["fork", *on_full("spawn")])
def test_worker_processes_have_separate_connections(store, method):
    store.photos(4)
    urls = [f"{store.url}/photos/{n}.png" for n in range(4)]
    assert [read_bytes(url) for url in urls] == [photo(n) for n in range(4)]
    if method == "fork" and (sys.platform != "linux" or threading.active_count() > 50):
        pytest.skip("fork is for Linux")
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        assert list(pool.map(read_bytes, urls)) == [photo(n) for n in range(4)]


def test_objects_of_failed_images_are_not_overwritten(store):
    store.put("photos/bad.png", b"no image")
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    assert run(*command).exit_code == 1
    store.put("edges/bad.sobel.png", b"somebody's")
    store.put("photos/bad.png", photo(0))
    assert "edgekit did not write" in run(*command).stderr
    assert store.get("edges/bad.sobel.png") == b"somebody's"


def start(*arguments):
    """Start edgekit in a new process, because workers inherit the credentials of the environment."""
    command = [sys.executable, "-m", "edgekit", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.full
def test_worker_processes_repeat_failed_requests(store):
    store.photos(MANY)
    store.faulty.decide = lambda method, path, attempt: "error" if (method, attempt) == ("GET", 0) else None
    process = start("score", f"{store.url}/photos", "--json", "--measure", "laplacian_variance")
    printed, said = process.communicate(timeout=100)
    assert (process.returncode, f"{MANY} scored" in said) == (0, True), said
    found = {row["path"]: row["laplacian_variance"] for row in map(json.loads, printed.splitlines())}
    for n in range(MANY):
        gray = cv2.imdecode(np.frombuffer(photo(n), np.uint8), cv2.IMREAD_GRAYSCALE)
        expected = cv2.Laplacian(gray, cv2.CV_64F).var()
        assert found[f"{store.url}/photos/{n}.png"] == pytest.approx(expected, rel=1e-9)
    # Metadata of the listing is not requested again.
    assert all(store.requests("GET", f"photos/{n}.png") == 2 for n in range(MANY))
    assert store.requests("HEAD") == 0


@pytest.mark.full
def test_worker_processes_show_and_store_no_secrets(store, tmp_path):
    store.photos(MANY)
    store.put("photos/0.png", b"no image")
    urls = [store.signed(f"photos/{n}.png") for n in range(MANY)]
    shown = ""
    for command in (("score", "-o", "rows.csv"), ("sobel", "-o", "edges/")):
        process = start(*command, "--debug", *urls)
        shown += "".join(process.communicate(timeout=100))
        assert process.returncode == 1, shown
    assert f"{MANY - 1} done" in shown
    kept = [p.read_bytes().decode("latin1") for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".png"]
    assert len(kept) >= 3
    for secret in ("secretoftests", *(url.split("Signature=")[1][:12] for url in urls)):
        assert not any(secret in text for text in (shown, *kept))
    assert "Signature=***" in shown


@pytest.mark.full
def test_killed_runs_of_worker_processes_are_resumed(store):
    store.photos(MANY)
    store.faulty.latency = 0.05
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    killed = start(*command)
    began = time.monotonic()
    while store.requests("PUT") < 40 and time.monotonic() - began < 100:
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    store.faulty.reset()
    again = start(*command)
    said = again.communicate(timeout=100)[1]
    assert again.returncode == 0, said
    done, current = (int(number) for number in re.findall(r"(\d+) (?:done|up to date)", said))
    assert done + current == MANY
    assert current > 0
    assert {f"edges/{n}.sobel.png" for n in range(MANY)} <= store.names()
    assert store.requests("PUT") == done
    # One request for each output before the run, and one after it is written.
    assert store.requests("HEAD") == MANY + done


def test_timeout_and_workers_for_images_in_a_store(monkeypatch):
    from edgekit.batch.engines import choice
    from edgekit.cli.engines import engine_for

    monkeypatch.setattr(choice, "choose", lambda items, workers, limits, timeout=None: (workers, limits, timeout))
    usual = {"workers": None, "timeout": None, "memory": None, "engine": "local", "address": None}
    assert engine_for([], usual, paths=["a.png", "s3://bucket/a.png"]) == (max(16, os.cpu_count() or 1), None, 600.0)
    assert engine_for([], usual, paths=["a.png"])[2] is None
    assert engine_for([], usual | {"memory": 2**30}, paths=["s3://bucket/a.png"])[1].timeout == 600.0
    assert engine_for([], usual | {"workers": 3, "timeout": 7.0}, paths=["s3://bucket/a.png"])[:2] == (
        3,
        WorkerLimits(7.0),
    )


@pytest.mark.full
def test_store_faults_script_fills_the_page(store, monkeypatch, tmp_path):
    faults = script(monkeypatch)
    page = tmp_path / "remote.md"
    page.write_text(faults.PAGE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(faults, "PAGE", page)
    monkeypatch.setattr(faults, "FAULTS", ((None, 0.0), ("cut", 0.5)))
    faults.main(["--images", "6", "--size", "32", "--workers", "4", "--latency", "0", "--write"])
    text = page.read_text("utf-8")
    assert "| none | 0% | 0 | 8 | 0 of 6 |" in text
    assert "| body truncated | 50% |" in text
    workers = [line.split()[1] for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert workers == ["1", "2", "4", "8", "16", "32"]


def test_results_in_a_store_are_left_out(store):
    """The log of an output folder in a store is on this machine; single objects are in the log of the user."""
    store.photos(2)
    run("sobel", f"{store.url}/photos", "-o", f"{store.url}/photos/edges/")
    run("canny", f"{store.url}/photos/0.png", "-o", f"{store.url}/photos/lines.png")
    result = run("score", f"{store.url}/photos", "-r")
    assert "2 scored" in result.stderr
    assert "3 results of earlier runs left out in " in result.stderr
    assert "2 done, 3 results" in run("sobel", f"{store.url}/photos", "-r", "-o", "here").stderr
    # A folder with only results is scored.
    assert "left out" not in run("score", f"{store.url}/photos/edges").stderr
