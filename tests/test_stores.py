"""Paths in stores: names, status, repeated attempts, hidden secrets."""

import os
import pickle
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path, PurePath

import pytest

from edgekit.batch.sources import find
from edgekit.errors import MissingExtraError, ParameterError, UnreadableError
from edgekit.io import store_requests
from edgekit.io.files import read_bytes
from edgekit.io.stores import StorePath, canonical_path, path_of
from edgekit.io.urls import MASK, redacted

S3_URL = "s3://bucket/photos/a.b.png"


@pytest.mark.parametrize("text", ["a.png", "/a/b.png", "C:\\a.png", "C:/a.png", "12:30.mp4", "-", "a:b/c.png"])
def test_local_names_are_paths(text):
    assert path_of(text) == Path(text)
    assert canonical_path(text) == os.path.realpath(text)


def test_file_urls_are_local_paths():
    assert path_of("file:///photos/a%20b.png") == Path("/photos/a b.png")


@pytest.mark.parametrize(
    ("url", "name", "suffix", "parent", "neighbour"),
    [
        (S3_URL, "a.b.png", ".png", "s3://bucket/photos", "s3://bucket/photos/x.tif"),
        ("s3://bucket/a?b#c.png", "a?b#c.png", ".png", "s3://bucket", "s3://bucket/x.tif"),
        ("https://host/d/a.png?w=9", "a.png", ".png", "https://host/d?w=9", "https://host/d/x.tif?w=9"),
        ("zip://d/a.png::s3://b/c.zip", "a.png", ".png", "zip://d::s3://b/c.zip", "zip://d/x.tif::s3://b/c.zip"),
        ("gs://bucket/folder/", "folder", "", "gs://bucket", "gs://bucket/x.tif"),
    ],
)
def test_parts_of_store_paths(url, name, suffix, parent, neighbour):
    path = StorePath(url)
    assert (path.name, path.suffix, path.stem + suffix) == (name, suffix, name)
    assert path.parent == StorePath(parent)
    assert path.parent / "x.tif" == StorePath(neighbour)


def test_joined_store_paths():
    root = StorePath("s3://bucket/out/")
    assert root / PurePath() / "a.png" == StorePath("s3://bucket/out/a.png")
    assert str(root / PurePath("b", "c.png")) == "s3://bucket/out/b/c.png"
    assert (root / "a").is_relative_to(root)
    assert not StorePath("s3://bucket/outer").is_relative_to(root)
    assert sorted([root / "b", root / "a"]) == [root / "a", root / "b"]
    assert root.absolute() is root


def test_double_slashes_are_kept():
    assert canonical_path("s3://bucket/a//b.png") != canonical_path("s3://bucket/a/b.png")


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@host/a.png",
        f"https://host/a.png?X-Amz-Signature={SECRET}&width=9",
        f"https://host/a.png?sv=1&sig={SECRET}",
        f"https://host/a.png?access_token={SECRET}#x",
        f"https://host/a.png#token={SECRET}",
        f"https://host/a.png?key={SECRET}",
        f"https://host/a.png?api_key={SECRET}",
        f"https://host/a.png?password={SECRET}",
        f"sftp://me:{SECRET}@host/a.png",
        f"zip://a.png::https://me:{SECRET}@host/a.zip?sig={SECRET}",
    ],
)
def test_secrets_are_hidden(url):
    path = StorePath(url)
    shown = (str(path), repr(path), path.as_posix(), str(path.parent), redacted(f"no '{url}' today"))
    assert not any(SECRET in text for text in shown)
    assert path.url == url


#: Names of secrets in queries of Azure, Amazon, CloudFront, Google, Akamai and others.
SECRETS = (
    "sig", "X-Amz-Signature", "X-Amz-Security-Token", "client_secret", "passphrase", "pwd", "auth", "GoogleAccessId",
    "AWSAccessKeyId", "X-Goog-Credential", "PHPSESSIONID", "Policy", "hmac", "jwt", "apikey", "subscription-key",
    "api_key", "key", "code",
)  # fmt: skip


@pytest.mark.parametrize("separator", ["?", "?a=1&", "?a=1;", "#"])
@pytest.mark.parametrize("name", SECRETS)
def test_names_of_secrets_are_known(name, separator):
    for spelt in (name, name.upper(), name.lower()):
        shown = str(StorePath(f"https://host/a.png{separator}{spelt}={SECRET}&b=2"))
        assert shown == f"https://host/a.png{separator}{spelt}={MASK}&b=2"


@pytest.mark.parametrize(
    "url",
    [
        "https://host/a.png?width=9&page-keys=3&monkey=2",
        "https://host/a.png?barcode=9&encoder=3",
        "s3://bucket/me:x@y.png",
        "s3://bucket/a?key=1.png",
        S3_URL,
    ],
)
def test_other_parameters_are_shown(url):
    assert str(StorePath(url)) == url


def test_urls_that_differ_only_in_secrets_are_refused():
    urls = ["https://host/get?key=1.png", "https://host/get?key=2.png"]
    with pytest.raises(ParameterError, match=r"get\?key=\*\*\*.*hidden"):
        list(find(urls, print))


MOMENT = datetime(2024, 5, 17, 10, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        {"LastModified": MOMENT},
        {"updated": "2024-05-17T10:30:15.000Z"},
        {"Last-Modified": "Fri, 17 May 2024 10:30:15 GMT"},
        {"mtime": MOMENT.timestamp()},
    ],
)
def test_status_from_metadata_of_stores(said):
    status = StorePath(S3_URL, {"size": "123", **said}).stat()
    assert (status.st_size, status.st_mtime_ns) == (123, int(MOMENT.timestamp()) * 10**9)
    assert stat.S_ISREG(status.st_mode)


def test_etag_distinguishes_versions_of_one_second():
    times = [StorePath(S3_URL, {"size": 1, "LastModified": MOMENT, "ETag": e}).stat().st_mtime_ns for e in "aba"]
    assert times[0] == times[2] != times[1]
    assert {t // 10**9 for t in times} == {int(MOMENT.timestamp())}


def test_quotes_of_the_etag_are_ignored():
    one, other = ({"size": 1, "ETag": e} for e in ('"abc"', "abc"))
    assert StorePath(S3_URL, one).stat() == StorePath(S3_URL, other).stat()


def test_objects_without_time_count_as_changed():
    before = StorePath(S3_URL, {"size": 1}).stat().st_mtime_ns
    time.sleep(0.01)
    assert StorePath(S3_URL, {"size": 1}).stat().st_mtime_ns > before


def test_store_paths_can_be_pickled():
    path = pickle.loads(pickle.dumps(StorePath(f"https://me:{SECRET}@host/a.png", {"size": 5})))
    assert path.url == f"https://me:{SECRET}@host/a.png"
    assert path.stat().st_size == 5


@pytest.fixture
def in_memory(monkeypatch):
    """A store in memory, with folders; no wait between attempts."""
    import fsspec

    monkeypatch.setattr(store_requests, "FIRST_WAIT", 0.0)
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()


def test_fsspec_memory_file_system(in_memory):
    for name in ("a.png", "b/c.png", "b/.hidden/d.png", "b/e.txt"):
        StorePath(f"memory://photos/{name}").write_bytes(b"content of " + name.encode())
    root = StorePath("memory://photos")
    assert root.is_dir()
    found = {place.as_posix(): path for path, place in root.files(recursive=True)}
    assert sorted(found) == ["a.png", "b/c.png", "b/e.txt"]
    assert found["b/c.png"].read_bytes() == b"content of b/c.png"
    assert found["b/c.png"].head(7) == b"content"
    assert [place.name for _, place in root.files(recursive=False)] == ["a.png"]
    assert [p.as_posix() for _, p in StorePath("memory://photos/b/*.png").matches()] == ["c.png"]
    assert sorted(p.name for _, p in StorePath("memory://photos/**/[a-c].png").matches()) == ["a.png", "c.png"]
    assert not StorePath("memory://photos/f.png").exists()


def test_files_of_archives_in_a_store(in_memory):
    import io
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("in/a.png", b"content")
    StorePath("memory://x.zip").write_bytes(data.getvalue())
    ((path, place),) = StorePath("zip://in::memory://x.zip").files(recursive=True)
    assert (path.url, place) == ("zip://in/a.png::memory://x.zip", PurePath("a.png"))
    assert path.read_bytes() == b"content"


def test_pages_of_google_cloud_listings(monkeypatch):
    pytest.importorskip("gcsfs")
    asked = []

    class Google:
        def call(self, *path, json_out, **how):
            asked.append((path, how))
            page = int(how.get("pageToken", 0))
            names = [{"name": f"photos/{page}{n}.png", "size": "9"} for n in range(2)]
            return {"items": names} | ({"nextPageToken": str(page + 1)} if page < 2 else {})

    monkeypatch.setattr(store_requests, "_file_system", lambda url: (Google(), url.partition("://")[2]))
    found = StorePath("gs://bucket/photos").files(recursive=False)
    assert next(found)[1] == PurePath("00.png")
    assert len(asked) == 1
    assert [place.stem for _, place in found] == ["01", "10", "11", "20", "21"]
    assert asked[0] == (("GET", "b/{}/o", "bucket"), {"prefix": "photos/", "maxResults": 1000, "delimiter": "/"})


@pytest.mark.filterwarnings("ignore")
def test_google_cloud_storage(monkeypatch, capfd):
    pytest.importorskip("gcsfs")
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    try:
        port = server._api._httpd.server_port
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        store_requests._shared_file_system.cache_clear()
        for name in ("a", "b", "deep/c"):
            StorePath(f"gs://bucket/photos/{name}.png").write_bytes(name.encode())
        root = StorePath("gs://bucket/photos")
        found = {place.as_posix(): path for path, place in root.files(recursive=True)}
        assert {name: path.read_bytes() for name, path in found.items()} == {
            "a.png": b"a", "b.png": b"b", "deep/c.png": b"deep/c"
        }  # fmt: skip
        assert [place.name for _, place in root.files(recursive=False)] == ["a.png", "b.png"]
        for path in found.values():
            assert path.stat() == StorePath(path.url).stat()
        assert not (root / "none.png").exists()
        assert (root.is_dir(), (root / "none").is_dir()) == (True, False)
    finally:
        server.stop()
        store_requests._shared_file_system.cache_clear()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (FileNotFoundError("a"), False),
        (PermissionError("a"), False),
        (ValueError("a"), False),
    ],
)
def test_transient_errors(error, expected):
    assert store_requests.is_transient(error) is expected
    wrapped = OSError("in the library's words")
    wrapped.__cause__ = error
    assert store_requests.is_transient(wrapped) is expected


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(500, "InternalError", True), (503, "SlowDown", True), (429, "TooManyRequests", True), (408, "Timeout", True),
     (400, "RequestTimeout", True), (400, "InvalidArgument", False), (403, "AccessDenied", False),
     (404, "NoSuchKey", False)],
)  # fmt: skip
def test_transient_responses(status, code, expected):
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert store_requests.is_transient(ClientError(answer, "GetObject")) is expected


def test_pauses_between_attempts(in_memory, monkeypatch):
    monkeypatch.setattr(store_requests, "FIRST_WAIT", 0.5)
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    monkeypatch.setattr("random.uniform", lambda low, high: high)

    def fail(*_, **__):
        raise ConnectionResetError("gone")

    monkeypatch.setattr(type(in_memory), "info", fail)
    with pytest.raises(OSError, match="failed 6 times: gone; run the command again later"):
        StorePath("memory://a.png").stat()
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_incomplete_writes_are_repeated(in_memory, monkeypatch):
    whole, attempts = type(in_memory).pipe_file, []

    def short(fs, key, data, **options):
        attempts.append(key)
        whole(fs, key, data if len(attempts) > failing else data[:-1], **options)

    monkeypatch.setattr(store_requests, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(type(in_memory), "pipe_file", short)
    failing = 2
    StorePath("memory://photos/a.png").write_bytes(b"content")
    assert len(attempts) == 3
    assert StorePath("memory://photos/a.png").read_bytes() == b"content"
    failing = 99
    with pytest.raises(OSError, match="failed 6 times: wrote 7 bytes; 6 arrived"):
        StorePath("memory://photos/b.png").write_bytes(b"content")


def test_unknown_protocols_are_refused():
    with pytest.raises(ParameterError, match=r"nix://a.png: Protocol not known: nix; check"):
        read_bytes("nix://a.png")


def test_errors_contain_no_secrets(in_memory, monkeypatch):
    url = f"https://me:{SECRET}@127.0.0.1:9/a.png"
    monkeypatch.setattr(store_requests, "ATTEMPTS", 2)
    with pytest.raises(UnreadableError) as raised:
        read_bytes(url)
    error = raised.value
    while error is not None:
        assert SECRET not in f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert "***@127.0.0.1:9/a.png" in str(raised.value)
    assert MASK in str(raised.value)


@pytest.mark.parametrize(
    ("scheme", "module", "hint"),
    [("s3", "s3fs", r"pip install .*\[remote\]'?$"), ("gs", "gcsfs", r"pip install .*\[remote\]'?$"),
     ("abfs", "adlfs", "Install adlfs[^;]*$")],
)  # fmt: skip
def test_missing_libraries_are_reported(monkeypatch, scheme, module, hint):
    from fsspec.registry import _registry

    monkeypatch.delitem(_registry, scheme, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    store_requests._shared_file_system.cache_clear()
    with pytest.raises(MissingExtraError, match=rf"{scheme}:// needs more: .*{hint}"):
        read_bytes(f"{scheme}://bucket/a.png")


def test_listed_names_stay_inside_the_folder(monkeypatch):
    names = ["../../out.png", "a/../../out.png", "/absolute.png", "a//b.png", "fine.png"]
    monkeypatch.setattr(store_requests, "listing", lambda folder, *, recursive: ((name, {"size": 1}) for name in names))
    found = {place.as_posix() for _, place in StorePath("s3://bucket/photos").files(recursive=True)}
    assert found == {"absolute.png", "a/b.png", "fine.png"}
