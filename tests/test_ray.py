"""Runs on a Ray cluster on this machine: rows equal those of local runs, also after failures."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tasks
from command_line import run
from ray_jobs import LoggedJob
from sampling import on_full

import edgekit as ek
from edgekit.batch.engines import ray as engines
from edgekit.batch.engines.local import Threads
from edgekit.batch.engines.processes import WorkerLimits
from edgekit.batch.engines.ray import Ray
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import find
from edgekit.errors import WorkerError

ray = pytest.importorskip("ray")

# Warnings of Ray about its own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}Warning") for kind in ("Deprecation", "Future", "Resource")]

COUNT = 60

#: A broken image, one whose decoder crashes, and one whose decoder hangs.
BROKEN, CRASH, HANG = "photos/07.png", "photos/12crash.png", "photos/13hang.png"


@pytest.fixture(scope="module")
def cluster():
    """A cluster of one node with one processor; this process is connected to it."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        arguments = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def second_node(cluster):
    """One more node, removed at the end of the test."""
    node = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Images with different scores, one broken image, and small blocks of work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engines, "BLOCK", 4)
    rng = np.random.default_rng(4)
    for n in range(COUNT):
        ek.write_image(f"photos/{n:02}.png", rng.integers(0, 256, (12, 15)).astype(np.uint8).repeat(9, 0).repeat(9, 1))
    Path(BROKEN).write_bytes(b"no image")


def rows(engine, job, cache=None):
    """Return the rows of a run."""
    with ScoreCache(cache, "rows of one job") as kept:
        return list(score_sources((source for _, source in find(["photos"], print)), job, kept, engine))


def same(found, expected):
    """Compare rows as text: NaN is not equal to itself."""
    return sorted(map(str, found)) == sorted(map(str, expected))


@pytest.fixture
def wanted(photos, tmp_path):
    """The rows of the local run."""
    return rows(Threads(), LoggedJob(log=str(tmp_path / "local.log")))


@pytest.fixture
def job(tmp_path):
    """A job with a log."""
    return LoggedJob(log=str(tmp_path / "ray.log"))


@pytest.mark.usefixtures("cluster", "photos")
@pytest.mark.parametrize("output", ["rows.parquet/", *on_full("rows.csv", "rows.jsonl")])
def test_score_rows_equal_the_local_run(output):
    arguments = ("score", "photos", "--measure", "score", "--measure", "brenner")
    local = run(*arguments, "-o", f"local/{output}")
    spread = run(*arguments, "-o", f"ray/{output}", "--engine", "ray")
    assert (spread.exit_code, spread.stdout) == (local.exit_code, local.stdout) == (1, "")
    assert f"{BROKEN}: " in spread.stderr
    if output.endswith("/"):
        one, other = (pyarrow.parquet.read_table(f"{engine}/{output}") for engine in ("local", "ray"))
        assert one.equals(other)
        assert Counter(one["status"].to_pylist()) == {"ok": COUNT - 1, "failed": 1}
        assert one["reason"].null_count == COUNT - 1
    else:
        assert Path("local", output).read_bytes() == Path("ray", output).read_bytes()


@pytest.mark.full
@pytest.mark.usefixtures("cluster", "photos")
@pytest.mark.parametrize(
    ("command", "count"),
    [(("sobel", "--angle", "30", "--angle", "90"), 2), (("canny",), 1)],
)
def test_filter_outputs_equal_the_local_run(command, count):
    local = run(*command, "photos", "-o", "local", "--rows", "local.parquet/")
    spread = run(*command, "photos", "-o", "ray", "--rows", "ray.parquet/", "--engine", "ray")
    assert spread.exit_code == local.exit_code == 1
    assert spread.stdout.replace("ray/", "local/") == local.stdout
    mine, theirs = (pyarrow.parquet.read_table(f"{name}.parquet").to_pylist() for name in ("local", "ray"))
    assert [{**row, "output": row["output"].replace("ray/", "local/")} for row in theirs] == mine
    assert Counter(row["status"] for row in mine) == {"done": count * (COUNT - 1), "failed": count}
    pictures = {p.name: p.read_bytes() for p in Path("local").glob("*.png")}
    assert len(pictures) == count * (COUNT - 1)
    assert {p.name: p.read_bytes() for p in Path("ray").glob("*.png")} == pictures
    assert not list(Path("ray").glob(".*part"))
    written = {p: p.stat().st_mtime_ns for p in Path("ray").glob("*.png")}
    assert f"{len(pictures)} up to date" in run(*command, "photos", "-o", "ray").stderr
    assert f"{len(pictures)} up to date" in run(*command, "photos", "-o", "ray", "--engine", "ray").stderr
    assert {p: p.stat().st_mtime_ns for p in Path("ray").glob("*.png")} == written


@pytest.mark.full
@pytest.mark.usefixtures("photos")
def test_address_option_and_no_output_of_ray(cluster):
    command = [sys.executable, "-m", "edgekit", "sobel", "photos", "-o", "out", "--engine", "ray"]
    ran = subprocess.run([*command, "--address", cluster.address], capture_output=True, text=True)
    assert ran.returncode == 1
    assert sorted(ran.stdout.splitlines()) == sorted(map(str, Path("out").glob("*.png")))
    failed, summed_up = ran.stderr.splitlines()
    assert failed.startswith(f"edgekit: {BROKEN}: ")
    assert summed_up.startswith(f"edgekit: {COUNT - 1} done, 1 failed")


@pytest.mark.full
def test_lost_nodes_do_not_lose_rows(cluster, second_node, job, wanted):
    pid = str(second_node.all_processes["raylet"][0].process.pid)
    job = replace(job, stuck=pid)
    open_there: set[str] = set()

    def kill():
        while not (
            names := [line.name for line in job.log_lines() if line.node == pid and int(Path(line.name).stem) >= 20]
        ):
            time.sleep(0.05)
        open_there.update(names)
        cluster.remove_node(second_node, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert same(rows(Ray(limits=WorkerLimits(timeout=600)), job), wanted)
    killer.join()
    # Images in progress on the lost node were finished on the other one.
    done = {line.name: line.node for line in job.log_lines() if line.event == "done"}
    assert open_there
    assert all(done[name] != pid for name in open_there)
    assert second_node not in cluster.list_all_nodes()


@pytest.mark.usefixtures("cluster")
def test_images_that_crash_or_hang_a_worker_fail(job, wanted):
    Path("photos/12.png").rename(CRASH)
    Path("photos/13.png").rename(HANG)
    found = {row.path: row for row in rows(Ray(limits=WorkerLimits(timeout=4)), job)}
    assert "crashed each time (SIGSEGV)" in found.pop(CRASH).reason
    assert "took longer than the limit of 4 s" in found.pop(HANG).reason
    expected = {row.path: row for row in wanted if row.path not in ("photos/12.png", "photos/13.png")}
    assert same(found.values(), expected.values())


@pytest.mark.full
def test_runs_are_resumed_after_the_driver_is_killed(cluster, job, wanted):
    code = f"""
        import os, signal
        from pathlib import Path
        from ray_jobs import LoggedJob
        from edgekit.batch.score_cache import ScoreCache
        from edgekit.batch.engines import ray
        from edgekit.batch.sources import find
        from edgekit.batch.scoring import score_sources
        ray.BLOCK = 4
        with ScoreCache(Path("rows.sqlite"), "rows of one job") as cache:
            sources = (source for _, source in find(["photos"], print))
            engine = ray.Ray({cluster.address!r})
            for n, row in enumerate(score_sources(sources, LoggedJob(log={job.log!r}), cache, engine)):
                print(row.path, row.status, flush=True)
                if n == 20:
                    os.kill(os.getpid(), signal.SIGKILL)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert ran.returncode == -signal.SIGKILL
    # Ray may print messages in between.
    finished = {line.removesuffix(" ok") for line in ran.stdout.splitlines() if line.endswith(" ok")}
    assert len(finished) >= 20
    assert same(rows(Ray(), job, Path("rows.sqlite")), wanted)
    done = Counter(line.name for line in job.log_lines() if line.event == "done")
    assert all(done[path] == 1 for path in finished)
    assert set(done) == {row.path for row in wanted if row.status == "ok"}


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_run_without_partial_files(cluster, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ek.write_image("large/00.png", np.random.default_rng(0).integers(0, 256, (900, 1200), dtype=np.uint8))
    for n in range(1, 100):
        os.link("large/00.png", f"large/{n:02}.png")
    command = [sys.executable, "-m", "edgekit", "sobel", "large", "-o", "out", "--engine", "ray"]
    process = subprocess.Popen(
        [*command, "--address", cluster.address], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(Path().glob("out/*.png")) and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "not begun" in said
    finished = {path.name for path in Path("out").glob("*.png")}
    assert {path.name for path in Path("out").iterdir()} == finished | {".edgekit.sqlite"}
    again = run("sobel", "large", "-o", "out", *(f"--include={name[:2]}.png" for name in finished))
    assert again.stderr.startswith(f"edgekit: {len(finished)} up to date")


@pytest.mark.usefixtures("cluster", "photos")
def test_example_of_docs_scale_runs(capsys):
    page = Path(__file__).parents[1].joinpath("docs", "scale.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    exec(code.replace("/shared/photos", "photos"), {})
    said = capsys.readouterr().out.splitlines()
    assert Counter(line.split()[1] for line in said) == {"ok": COUNT - 1, "failed": 1}


@pytest.mark.full
@pytest.mark.usefixtures("second_node")
@pytest.mark.parametrize("portion", [10, 1000])
def test_results_are_in_the_order_of_the_items(monkeypatch, portion):
    """Fast blocks finish before earlier slow ones."""
    monkeypatch.setattr(engines, "BLOCK", 4)
    monkeypatch.setattr(engines, "PORTION", portion)
    assert list(Ray().run(tasks.uneven, range(36), tasks.lost)) == list(range(36))
    assert list(Ray().run(tasks.uneven, [], tasks.lost)) == []


@pytest.mark.usefixtures("cluster")
def test_items_are_read_a_few_portions_ahead(monkeypatch):
    monkeypatch.setattr(engines, "PORTION", 5)
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield taken[-1]

    results = Ray().run(tasks.same, endless(), tasks.lost)
    assert [next(results) for _ in range(8)] == list(range(8))
    results.close()
    # Two portions in progress besides the returned one, and one more item to see that a portion is full.
    assert len(taken) <= 3 * 5 + 1


@pytest.mark.usefixtures("cluster")
def test_nodes_with_another_version_fail(monkeypatch):
    monkeypatch.setattr(engines, "__version__", "0.0.1")
    ((item, reason),) = Ray().run(tasks.same, ["a.png"], tasks.lost)
    assert item == "a.png"
    assert f"edgekit {ek.__version__} is installed there, and 0.0.1 here; install the same on each" in reason


@pytest.mark.usefixtures("cluster")
def test_tasks_that_nodes_cannot_import_end_the_run(monkeypatch):
    module = types.ModuleType("only_here")
    exec("def task(item): return item", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(WorkerError, match=r"^Ray: .*No module named 'only_here'"):
        list(Ray().run(module.task, range(3), tasks.lost))
