"""Images in an S3 store on this machine: reading, writing, errors, hidden secrets."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from bucket import photo
from command_line import run
from sampling import on_full

import edgekit as ek
from edgekit.batch.engines.local import Threads
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import find
from edgekit.errors import UnreadableError
from edgekit.io import store_requests


def rows_of(result):
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_scores_equal_those_of_local_files(store, tmp_path):
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
    assert "1 skipped" in there.stderr
    # Metadata of the listing is not requested again.
    assert (store.requests("GET"), store.requests("HEAD")) == (6, 0)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("photos/*.png", "012"), ("photos/[01].png", "01"), ("*/1.png", "1"), ("**/*.png", "0123"), ("photos/", "012")],
)
def test_globs_and_folders(store, pattern, expected):
    store.photos(3)
    store.put("other/deep/3.png", photo(3))
    found = rows_of(run("score", f"{store.url}/{pattern}", "--json"))
    assert sorted(Path(row["path"]).stem for row in found) == list(expected)


def test_scoring_starts_before_the_listing_ends(store, monkeypatch):
    monkeypatch.setattr(store_requests, "PAGE_SIZE", 10)
    store.photos(60)
    job = ScoreJob()
    with ScoreCache(None, job.key) as book:
        rows = score_sources((s for _, s in find([f"{store.url}/photos"], print)), job, book, Threads(2))
        next(rows)
        # One request checks for a folder; the others are the pages that the workers have begun with.
        assert store.faulty.requests["GET", f"/{store.bucket}?list"] <= 3
        assert 1 + sum(1 for _ in rows) == 60
    assert store.faulty.requests["GET", f"/{store.bucket}?list"] >= 7


def test_objects_are_read_concurrently(store):
    store.photos(24)
    store.faulty.latency = 0.1
    assert run("score", f"{store.url}/photos").exit_code == 0
    assert store.faulty.most_at_once >= 8


def test_named_objects_are_requested_ahead(store):
    store.photos(24)
    store.faulty.latency = 0.1
    urls = [f"{store.url}/photos/{n}.png" for n in range(24)]
    assert run("score", *urls, "-j", "1").exit_code == 0
    assert store.faulty.most_at_once >= 8
    assert store.requests("HEAD") == 24


@pytest.mark.parametrize("fault", ["error", "slow", "cut", "corrupt", *on_full("slow down", "short", "reset")])
def test_failed_requests_are_repeated(store, monkeypatch, fault):
    if fault == "slow":
        monkeypatch.setattr(store_requests, "READ_TIMEOUT", 0.5)
    store.photos(6)
    expected = rows_of(run("score", f"{store.url}/photos", "--json"))
    store.faulty.reset()
    store.faulty.delay = 1.5
    store.faulty.decide = lambda method, path, attempt: (
        fault if attempt < 2 and method == "GET" and (path.endswith(".png") or fault != "corrupt") else None
    )
    assert rows_of(run("score", f"{store.url}/photos", "--json")) == expected
    assert store.faulty.injected[fault] >= 2 * 6
    requests = [store.requests("GET", f"photos/{n}.png") for n in range(6)]
    # On a busy machine more than two responses may be slow.
    assert min(requests) == 3
    assert max(requests) == 3 or fault == "slow"


def test_results_are_written_to_a_store_despite_faults(store, tmp_path):
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


def test_unreadable_objects_fail_alone(store):
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
    assert store.requests("GET", "photos/2.png") == store_requests.ATTEMPTS


def test_forbidden_requests_are_not_repeated(store):
    store.photos(1)
    store.faulty.decide = lambda method, path, attempt: "forbidden" if path.endswith("/0.png") else None
    scored = run("score", f"{store.url}/photos")
    assert "photos/0.png: cannot be read: the store refuses: AccessDenied: injected; check the cred" in scored.stderr
    assert store.requests("GET", "photos/0.png") == 1


def test_missing_objects_and_folders(store):
    scored = run("score", f"{store.url}/none.png")
    assert scored.exit_code == 1
    assert f"{store.url}/none.png: no such file" in scored.stderr
    assert store.requests("HEAD", "none.png") == 1
    store.photos(1, "folder.png")
    folder = run("score", f"{store.url}/folder.png")
    assert f"{store.url}/folder.png: expected an image file; found a folder" in folder.stderr
    nothing = run("sobel", f"{store.url}/*.png", "-o", "out")
    assert nothing.exit_code == 2
    assert f"{store.url}/*.png: the store has no object with this name" in nothing.stderr


def test_signed_urls(store, tmp_path):
    store.photos(2)
    store.put("clip.mp4", b"\0\0\0\x18ftypmp42" + bytes(100))
    scored = rows_of(run("score", store.signed("photos/1.png"), store.signed("photos/0.png"), "--json"))
    assert [row["status"] for row in scored] == ["undefined", "undefined"]
    assert run("sobel", store.signed("photos/1.png"), "-o", "out.png").exit_code == 0
    assert "a result cannot be written beside it; choose a file" in run("sobel", store.signed("photos/1.png")).stderr
    assert (tmp_path / "out.png").exists()
    clip = run("score", store.signed("clip.mp4"))
    assert "videos are read from local files; copy it to this machine first" in clip.stderr
    assert np.array_equal(ek.read_image(store.signed("photos/1.png")), ek.read_image(photo(1)))


def test_secrets_are_not_printed_or_stored(store, tmp_path):
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


@pytest.mark.parametrize(
    "arguments",
    [("a.png", "b.png", "-o", "URL"), ("a.png", "-o", "URL", "--format", "jpg"), ("URL",),
     ("a.png", "--angle", "1", "--angle", "2", "-o", "URL")],
)  # fmt: skip
def test_usage_errors_show_no_secrets(store, arguments):
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(photo(0))
    url = store.address.replace("http://", "http://me:hunter2@") + "/bucket/c.png"
    refused = run("sobel", *(url if a == "URL" else a for a in arguments), "--debug")
    assert refused.exit_code == 2
    assert url.replace("me:hunter2@", "***@") in refused.output
    assert "hunter2" not in refused.output + repr(refused.exception)


def test_plots_and_kernels_are_written_to_a_store(store):
    store.photos(4)
    urls = [f"{store.url}/photos/{n}.png" for n in range(2)]
    assert run("learn", "--input", urls[0], "--target", urls[1], "-o", f"{store.url}/kernel.json").exit_code == 0
    assert "taps" in json.loads(store.get("kernel.json"))
    run("focus", f"{store.url}/photos", "--plot", f"{store.url}/plot.svg")
    assert b"<svg" in store.get("plot.svg")


def test_outputs_that_must_be_local(store):
    store.photos(1)
    for option in ("--map", "--report"):
        refused = run("score", f"{store.url}/photos", option, f"{store.url}/maps")
        assert (refused.exit_code, "folder on this machine" in refused.stderr) == (2, True)
    parts = run("score", f"{store.url}/photos", "-o", f"{store.url}/scores.parquet/")
    assert (parts.exit_code, "must be on this machine" in parts.stderr) == (2, True)
    assert "copy them here" in run("score", f"{store.url}/photos", "--report", "page").stderr
    assert "folder on this machine" in run("pick", f"{store.url}/photos", "-n", "1", "-o", store.url).stderr
    assert run("score", f"{store.url}/photos", "--map", "maps").exit_code == 0
    assert Path("maps/0.png.sharpness.png").exists()


def test_images_are_picked_from_a_store(store):
    store.photos(5)
    assert run("pick", f"{store.url}/photos", "-n", "2", "-o", "picked").exit_code == 0
    names = {p.name for p in Path("picked").glob("*.png")}
    assert len(names) == 2
    assert all(Path("picked", name).read_bytes() == store.get(f"photos/{name}") for name in names)


def test_focus_of_a_stack_in_a_store(store):
    store.photos(3)
    (found,) = rows_of(run("focus", f"{store.url}/photos", "--json"))
    assert [(row["name"], row["status"]) for row in found["images"]] == [
        (f"{store.url}/photos/{n}.png", "ok") for n in range(3)
    ]


def test_focus_of_pages_and_signed_urls(store):
    pages = io.BytesIO()
    tifffile.imwrite(pages, np.stack([ek.read_image(photo(n)) for n in range(3)]), photometric="minisblack")
    store.put("stack.tif", pages.getvalue())
    store.photos(3)
    scores = []
    for inputs in ([store.signed("stack.tif")], [store.signed(f"photos/{n}.png") for n in range(3)]):
        focused = run("focus", *inputs, "--json")
        (found,) = rows_of(focused)
        assert "Signature=***" in focused.output
        scores.append([row["score"] for row in found["images"]])
    assert scores[0] == scores[1]
    assert len(set(scores[0])) == 3


def test_write_image_to_a_store(store):
    ek.write_image(f"{store.url}/new/a.png", np.eye(9, dtype=np.uint8))
    assert np.array_equal(ek.read_image(f"{store.url}/new/a.png"), np.eye(9))
    with pytest.raises(OSError, match=r"s3://no-such-bucket/a.png: cannot be written: .*NoSuchBucket"):
        ek.write_image("s3://no-such-bucket/a.png", np.eye(9, dtype=np.uint8))
    with pytest.raises(UnreadableError, match="no such file"):
        ek.read_image("s3://no-such-bucket/a.png")


def test_write_image_to_a_signed_url(store):
    place = {"Bucket": store.bucket, "Key": "a.png"}
    ek.write_image(store.client.generate_presigned_url("put_object", Params=place), np.eye(9, dtype=np.uint8))
    assert np.array_equal(ek.read_image(store.get("a.png")), np.eye(9))


def test_credentials_from_a_profile(store, monkeypatch, tmp_path):
    store.photos(1)
    keys = "[photos]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = hidden\n"
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(UnreadableError, match=r"0\.png: cannot be read: .*credentials; log in \(AWS_PROFILE"):
        ek.read_image(f"{store.url}/photos/0.png")
    store_requests._shared_file_system.cache_clear()
    monkeypatch.setenv("AWS_PROFILE", "photos")
    assert ek.read_image(f"{store.url}/photos/0.png").shape == (64, 80)
    assert "Credential=AKIDOFPROFILE/" in store.faulty.authorization


def test_credentials_from_netrc(store, monkeypatch, tmp_path):
    store.photos(1)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ek.read_image(store.signed("photos/0.png")).shape == (64, 80)
    assert store.faulty.authorization == "Basic " + base64.b64encode(b"me:hunter2").decode()
