"""Images in a store, over HTTP on this machine: the commands, what fails, what is tried again, what is taken up."""

import csv
import importlib
import io
import json
import multiprocessing
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import edgekit as ek
from edgekit.batch.book import Book
from edgekit.batch.engines.local import Threads
from edgekit.batch.inputs import find
from edgekit.batch.score_job import ScoreJob
from edgekit.batch.scoring import score_files
from edgekit.errors import UnreadableError
from edgekit.io import _fsspec
from edgekit.io.reading import read_bytes
from edgekit.io.writing import encode

SCRIPTS = str(Path(__file__).parents[1] / "scripts")

#: The server's secret, and that of signed addresses.
SECRETS = ("secretoftests", "AKIDOFTESTS", "Signature=%")


@pytest.fixture(scope="module")
def server():
    sys.path.insert(0, SCRIPTS)
    try:
        module = importlib.import_module("store_server")
        with module.serve() as served:
            yield module, *served
    finally:
        sys.path.remove(SCRIPTS)


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    """An empty bucket of its own, no wait between attempts."""
    module, address, faulty = server
    for name, value in (module.environment(address) | {"XDG_CONFIG_HOME": str(tmp_path / "config")}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_fsspec, "PAUSE", 0.0)
    _fsspec._shared.cache_clear()
    faulty.reset()
    yield Store(address, faulty)
    faulty.reset()


class Store:
    """A bucket, by boto3; and the server that has it."""

    numbers = count()

    def __init__(self, address, faulty):
        import boto3

        self.address, self.faulty = address, faulty
        self.client = boto3.client("s3")
        self.bucket = f"bucket-{next(self.numbers)}"
        self.client.create_bucket(Bucket=self.bucket)
        self.url = f"s3://{self.bucket}"

    def put(self, key, data):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def names(self):
        return {o["Key"] for o in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())}

    def photos(self, number, folder="photos"):
        for n in range(number):
            self.put(f"{folder}/{n}.png", photo(n))
        self.faulty.asked.clear()

    def signed(self, key):
        return self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key})

    def asked(self, method, key=None):
        """How often objects, or one, were asked for."""
        return sum(
            times for (m, path), times in self.faulty.asked.items()
            if m == method and not path.endswith("?list") and key in (None, path.removeprefix(f"/{self.bucket}/"))
        )  # fmt: skip


def photo(seed):
    return encode(np.random.default_rng(seed).integers(0, 256, (64, 80), np.uint8), ".png")


def rows_of(result):
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_scores_are_those_of_the_same_files_here(store, tmp_path):
    store.photos(5)
    store.put("photos/read.me", b"text")
    store.put("photos/deep/5.png", photo(5))
    store.put("photos/.hidden/6.png", photo(6))
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for n in range(6):
        (tmp_path / "photos" / ("deep" if n == 5 else "") / f"{n}.png").write_bytes(photo(n))
    here = rows_of(run("score", "photos", "-r", "--json", "--measure", "laplacian_variance"))
    there = run("score", f"{store.url}/photos", "-r", "--json", "--measure", "laplacian_variance")
    values = {row["path"].removeprefix(store.url + "/"): row["laplacian_variance"] for row in rows_of(there)}
    assert values == {row["path"]: row["laplacian_variance"] for row in here}
    assert len(values) == 6
    assert "1 passed over" in there.stderr
    # What the listing said is not asked again.
    assert (store.asked("GET"), store.asked("HEAD")) == (6, 0)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("photos/*.png", "012"), ("photos/[01].png", "01"), ("*/1.png", "1"), ("**/*.png", "0123"), ("photos/", "012")],
)
def test_globs_and_folders(store, pattern, expected):
    store.photos(3)
    store.put("other/deep/3.png", photo(3))
    found = rows_of(run("score", f"{store.url}/{pattern}", "--json"))
    assert sorted(Path(row["path"]).stem for row in found) == list(expected)


def test_a_large_bucket_is_scored_from_its_first_page_on(store, monkeypatch):
    monkeypatch.setattr(_fsspec, "PAGE", 10)
    store.photos(60)
    job = ScoreJob()
    with Book(None, job.key) as book:
        rows = score_files((s for _, s in find([f"{store.url}/photos"], print)), job, book, Threads(2))
        next(rows)
        # One look whether it is a folder, and as many pages as the workers have begun with.
        assert store.faulty.asked["GET", f"/{store.bucket}?list"] <= 3
        assert 1 + sum(1 for _ in rows) == 60
    assert store.faulty.asked["GET", f"/{store.bucket}?list"] >= 7


def test_several_are_read_at_a_time(store):
    store.photos(24)
    store.faulty.latency = 0.1
    assert run("score", f"{store.url}/photos").exit_code == 0
    assert store.faulty.most >= 8


@pytest.mark.parametrize("fault", ["error", "slow down", "slow", "cut", "short", "spoiled", "reset"])
def test_what_fails_twice_is_tried_again(store, monkeypatch, fault):
    monkeypatch.setattr(_fsspec, "PATIENCE", 0.5)
    store.photos(6)
    expected = rows_of(run("score", f"{store.url}/photos", "--json"))
    store.faulty.reset()
    store.faulty.delay = 1.5
    store.faulty.decide = lambda method, path, attempt: (
        fault if attempt < 2 and method == "GET" and (path.endswith(".png") or fault != "spoiled") else None
    )
    assert rows_of(run("score", f"{store.url}/photos", "--json")) == expected
    assert store.faulty.spoiled[fault] >= 2 * 6
    assert all(store.asked("GET", f"photos/{n}.png") == 3 for n in range(6))


def test_pictures_go_to_a_store_through_faults(store, tmp_path):
    store.photos(6)
    faults = ("error", "reset", "slow down")
    store.faulty.decide = lambda method, path, attempt: faults[attempt] if attempt < 3 else None
    done = run("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    assert done.exit_code == 0, done.output
    store.faulty.reset()
    assert {k for k in store.names() if k.startswith("edges/")} == {f"edges/{n}.sobel.png" for n in range(6)}
    for n in range(6):
        (tmp_path / f"{n}.png").write_bytes(photo(n))
        run("sobel", tmp_path / f"{n}.png")
        assert store.get(f"edges/{n}.sobel.png") == (tmp_path / f"{n}.sobel.png").read_bytes()


def test_a_broken_object_costs_its_row(store):
    store.photos(4)
    store.put("photos/bad.png", b"no image")
    store.faulty.decide = lambda method, path, attempt: "error" if path.endswith("/2.png") else None
    scored = run("score", f"{store.url}/photos", "--json")
    status = {Path(row["path"]).name: row["status"] for row in rows_of(scored)}
    assert {name for name, s in status.items() if s == "failed"} == {"2.png", "bad.png"}
    assert len(status) == 5
    assert scored.exit_code == 1
    assert f"{store.url}/photos/2.png: cannot be read: the store failed 6 times: " in scored.stderr
    assert "InternalError: injected; run the command again later" in scored.stderr
    assert store.asked("GET", "photos/2.png") == _fsspec.ATTEMPTS


def test_a_store_that_refuses_is_asked_once(store):
    store.photos(1)
    store.faulty.decide = lambda method, path, attempt: "forbidden" if path.endswith("/0.png") else None
    scored = run("score", f"{store.url}/photos")
    assert "photos/0.png: cannot be read: the store refuses: AccessDenied: injected; check the cred" in scored.stderr
    assert store.asked("GET", "photos/0.png") == 1


def test_what_is_not_there(store):
    scored = run("score", f"{store.url}/none.png")
    assert scored.exit_code == 1
    assert f"{store.url}/none.png: no such file" in scored.stderr
    assert store.asked("HEAD", "none.png") == 1
    nothing = run("sobel", f"{store.url}/*.png", "-o", "out")
    assert nothing.exit_code == 2
    assert f"{store.url}/*.png: the store has nothing of this name" in nothing.stderr


def test_a_second_run_does_only_what_changed(store):
    store.photos(4)
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    assert "4 done" in run(*command).stderr
    store.put("photos/1.png", photo(77))
    store.faulty.asked.clear()
    again = run(*command)
    assert "1 done, 3 up to date" in again.stderr
    assert (store.asked("GET"), store.asked("PUT")) == (1, 1)
    assert "4 done" in run("sobel", "--scale", "raw", *command[1:]).stderr


def test_objects_of_others_stay(store):
    store.photos(1)
    store.put("edges/0.sobel.png", b"somebody's")
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/")
    refused = run(*command)
    assert refused.exit_code == 1
    assert "edges/0.sobel.png: there is a file that edgekit did not write" in refused.stderr
    assert store.get("edges/0.sobel.png") == b"somebody's"
    assert run(*command, "--force").exit_code == 0
    assert store.get("edges/0.sobel.png") != b"somebody's"


def test_a_run_that_was_killed_before_it_could_enter_an_object_is_taken_up(store, monkeypatch):
    from edgekit.batch.journal import Journal

    store.photos(3)
    command = ("sobel", f"{store.url}/photos", "-o", f"{store.url}/edges/", "-j", "1")
    enter = Journal.enter

    def killed(self, output, *rest):
        if output.name.startswith("1"):
            raise KeyboardInterrupt
        enter(self, output, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "enter", killed)
        assert run(*command).exit_code == 130
    assert "edges/1.sobel.png" in store.names()
    again = run(*command)
    assert (again.exit_code, "2 done, 1 up to date" in again.stderr) == (0, True), again.stderr
    # From then on it is somebody else's as soon as it is changed.
    store.put("edges/1.sobel.png", b"somebody's")
    assert "edgekit did not write" in run(*command).stderr


@pytest.mark.parametrize("output", ["scores.csv", "scores.jsonl"])
def test_rows_go_to_a_store_and_are_taken_up(store, output):
    store.photos(3)
    command = ("score", f"{store.url}/photos", "-o", f"{store.url}/out/{output}")
    assert run(*command).exit_code == 0
    before = store.get(f"out/{output}").decode()
    if output.endswith("csv"):
        assert len(list(csv.DictReader(io.StringIO(before)))) == 3
    store.faulty.asked.clear()
    assert run(*command).exit_code == 0
    assert store.get(f"out/{output}").decode() == before
    assert not any(store.asked("GET", f"photos/{n}.png") for n in range(3))


def test_one_image_by_its_web_address(store, tmp_path):
    store.photos(2)
    store.put("clip.mp4", b"\0\0\0\x18ftypmp42" + bytes(100))
    scored = rows_of(run("score", store.signed("photos/1.png"), store.signed("photos/0.png"), "--json"))
    assert [row["status"] for row in scored] == ["undefined", "undefined"]
    assert run("sobel", store.signed("photos/1.png"), "-o", "out.png").exit_code == 0
    assert "a result cannot lie beside it; name a file" in run("sobel", store.signed("photos/1.png")).stderr
    assert (tmp_path / "out.png").exists()
    clip = run("score", store.signed("clip.mp4"))
    assert "clips are read from local files; copy it to this machine first" in clip.stderr
    assert np.array_equal(ek.read_image(store.signed("photos/1.png")), ek.read_image(photo(1)))


def test_no_secret_is_shown_or_kept(store, tmp_path):
    store.photos(2)
    store.put("photos/bad.png", b"no image")
    address = store.address.replace("http://", "http://me:hunter2@")
    urls = [store.signed(f"photos/{name}.png") for name in ("0", "bad", "none")]
    urls += [f"{address}/{store.bucket}/photos/1.png", f"{address}/none/photos/1.png"]
    store.faulty.decide = lambda method, path, attempt: "error" if path.endswith("/1.png") else None
    shown = [run("score", *urls, "-o", "rows.csv", "--debug"), run("sobel", *urls, "-o", "edges/", "--debug")]
    shown += [run("sobel", url, "-o", "one.png", "--json", "--debug") for url in urls]
    kept = [p.read_bytes().decode("latin1") for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".png"]
    signature = urls[0].split("Signature=")[1][:12]
    assert len(kept) >= 3
    for text in [r.output + r.stderr + repr(r.exception) for r in shown] + kept:
        assert not any(secret in text for secret in ("hunter2", "secretoftests", signature))
    assert "Signature=***" in shown[0].output


def test_pictures_of_scores_stay_here(store):
    store.photos(1)
    for option in ("--map", "--report"):
        refused = run("score", f"{store.url}/photos", option, f"{store.url}/maps")
        assert (refused.exit_code, "folder of this machine" in refused.stderr) == (2, True)
    assert "copy them here" in run("score", f"{store.url}/photos", "--report", "page").stderr
    assert "folder of this machine" in run("pick", f"{store.url}/photos", "-n", "1", "-o", store.url).stderr
    assert run("score", f"{store.url}/photos", "--map", "maps").exit_code == 0
    assert Path("maps/0.png.sharpness.png").exists()


def test_images_are_picked_from_a_store(store):
    store.photos(5)
    assert run("pick", f"{store.url}/photos", "-n", "2", "-o", "picked").exit_code == 0
    names = {p.name for p in Path("picked").glob("*.png")}
    assert len(names) == 2
    assert all(Path("picked", name).read_bytes() == store.get(f"photos/{name}") for name in names)


def test_the_focus_of_a_stack_in_a_store(store):
    store.photos(3)
    (found,) = rows_of(run("focus", f"{store.url}/photos", "--json"))
    assert [(row["name"], row["status"]) for row in found["images"]] == [
        (f"{store.url}/photos/{n}.png", "ok") for n in range(3)
    ]


def test_faults_and_what_came_of_them(store, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    faults = importlib.import_module("store_faults")
    monkeypatch.setattr(faults, "HALT", 1.2)
    table = [line.split(" | ") for line in faults.faults(12, 32, 8)[2:]]
    assert len(table) == len(faults.FAULTS)
    assert all(row[4] == "0 of 12" for row in table)
    assert [int(row[2]) > 0 for row in table].count(True) >= 5
    monkeypatch.setattr(_fsspec, "ATTEMPTS", 1)
    assert any(row.split(" | ")[4] != "0 of 12" for row in faults.faults(12, 32, 8)[2:])


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_worker_processes_have_connections_of_their_own(store, method):
    store.photos(4)
    urls = [f"{store.url}/photos/{n}.png" for n in range(4)]
    assert [read_bytes(url) for url in urls] == [photo(n) for n in range(4)]
    if method == "fork" and (sys.platform != "linux" or threading.active_count() > 50):
        pytest.skip("fork is for Linux")
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        assert list(pool.map(read_bytes, urls)) == [photo(n) for n in range(4)]


def test_an_image_is_written_to_a_store(store):
    ek.write_image(f"{store.url}/new/a.png", np.eye(9, dtype=np.uint8))
    assert np.array_equal(ek.read_image(f"{store.url}/new/a.png"), np.eye(9))
    with pytest.raises(OSError, match=r"s3://no-such-bucket/a.png: cannot be written: .*NoSuchBucket"):
        ek.write_image("s3://no-such-bucket/a.png", np.eye(9, dtype=np.uint8))
    with pytest.raises(UnreadableError, match="no such file"):
        ek.read_image("s3://no-such-bucket/a.png")
