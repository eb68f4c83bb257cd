"""How much memory is free: of a machine, and of a container, by files as Linux shows them."""

import sys

import pytest

from edgekit.batch import large_files

MIB = 2**20


def system(folder, cgroup, files):
    """Make a machine with 8 GiB of memory available, control groups of a process, and their files."""
    files = {"proc/meminfo": f"MemTotal: 16777216 kB\nMemAvailable: {8 * 2**20} kB\nHugePages_Total: 0\n"} | {
        f"sys/fs/cgroup/{name}": text for name, text in files.items()
    }
    if cgroup is not None:
        files["proc/self/cgroup"] = cgroup
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def v2(group, limit, used, cache=0):
    return {
        f"{group}memory.max": f"{limit}\n",
        f"{group}memory.current": f"{used}\n",
        f"{group}memory.stat": f"anon 1\nfile {2 * cache}\ninactive_file {cache}\nactive_file {cache}\n",
    }


def v1(group, limit, used, cache=0):
    return {
        f"memory/{group}memory.limit_in_bytes": f"{limit}\n",
        f"memory/{group}memory.usage_in_bytes": f"{used}\n",
        f"memory/{group}memory.stat": f"cache 5\ninactive_file 7\ntotal_inactive_file {cache}\n",
    }


HERE = "0::/\n"
NESTED = "0::/work.slice/run.scope\n"
#: No limit, in version 1.
NONE = 2**63 - 4096

CASES = {
    "a machine without control groups": (None, {}, 8192),
    "a container": (HERE, v2("", 1000 * MIB, 700 * MIB), 300),
    "its inactive cache of files is free": (HERE, v2("", 1000 * MIB, 700 * MIB, 250 * MIB), 550),
    "all is used": (HERE, v2("", 1000 * MIB, 1001 * MIB), 0),
    "no limit": (HERE, v2("", "max", 700 * MIB), 8192),
    "a limit above what the machine has": (HERE, v2("", 2**40, 700 * MIB), 8192),
    "the root of the machine has no such files": (NESTED, v2("work.slice/run.scope/", 600 * MIB, 100 * MIB), 500),
    "a limit around": (
        NESTED,
        v2("work.slice/run.scope/", "max", 100 * MIB) | v2("work.slice/", 1000 * MIB, 900 * MIB, 10 * MIB),
        110,
    ),
    "the least of two": (
        NESTED,
        v2("work.slice/run.scope/", 300 * MIB, 100 * MIB) | v2("work.slice/", 1000 * MIB, 100 * MIB),
        200,
    ),
    "version 1": (
        "11:cpu,cpuacct:/jobs\n4:memory:/jobs/one\n0::/jobs\n",
        v1("jobs/one/", 1000 * MIB, 700 * MIB, 50 * MIB) | v1("jobs/", NONE, 0) | v1("", NONE, 0),
        350,
    ),
    "version 1 in a container, by its path outside": (
        "4:memory:/docker/4f2a\n1:name=systemd:/docker/4f2a\n", v1("", 1000 * MIB, 700 * MIB), 300,
    ),
    "a group that is outside of the container": ("0::/../other\n", v2("", 1000 * MIB, 700 * MIB), 300),
}  # fmt: skip


@pytest.mark.parametrize(("cgroup", "files", "expected"), CASES.values(), ids=CASES)
def test_what_is_used_is_not_free(cgroup, files, expected, tmp_path):
    assert large_files.free_memory(system(tmp_path, cgroup, files)) == expected * MIB


@pytest.mark.skipif(sys.platform == "win32", reason="has no limits of processes")
def test_an_image_may_take_half_of_what_is_free(tmp_path, monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(
        large_files.free_memory, "__defaults__", (system(tmp_path, HERE, v2("", 1000 * MIB, 700 * MIB)),)
    )
    assert large_files.allowance() == 150 * MIB
