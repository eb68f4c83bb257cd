"""Free memory of a machine and of a container, read from the files of Linux."""

import sys

import pytest

from edgekit.batch import large_files

MIB = 2**20


def system(folder, cgroup, files):
    """Write the files of a machine with 8 GiB of available memory, and of the control groups of a process."""
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
    "no control groups": (None, {}, 8192),
    "container": (HERE, v2("", 1000 * MIB, 700 * MIB), 300),
    "inactive file cache is free": (HERE, v2("", 1000 * MIB, 700 * MIB, 250 * MIB), 550),
    "limit exceeded": (HERE, v2("", 1000 * MIB, 1001 * MIB), 0),
    "no limit": (HERE, v2("", "max", 700 * MIB), 8192),
    "limit above memory of machine": (HERE, v2("", 2**40, 700 * MIB), 8192),
    "no files of the root group": (NESTED, v2("work.slice/run.scope/", 600 * MIB, 100 * MIB), 500),
    "limit of parent group": (
        NESTED,
        v2("work.slice/run.scope/", "max", 100 * MIB) | v2("work.slice/", 1000 * MIB, 900 * MIB, 10 * MIB),
        110,
    ),
    "lower of two limits": (
        NESTED,
        v2("work.slice/run.scope/", 300 * MIB, 100 * MIB) | v2("work.slice/", 1000 * MIB, 100 * MIB),
        200,
    ),
    "version 1": (
        "11:cpu,cpuacct:/jobs\n4:memory:/jobs/one\n0::/jobs\n",
        v1("jobs/one/", 1000 * MIB, 700 * MIB, 50 * MIB) | v1("jobs/", NONE, 0) | v1("", NONE, 0),
        350,
    ),
    "version 1 in container with path of host": (
        "4:memory:/docker/4f2a\n1:name=systemd:/docker/4f2a\n", v1("", 1000 * MIB, 700 * MIB), 300,
    ),
    "group outside of container": ("0::/../other\n", v2("", 1000 * MIB, 700 * MIB), 300),
}  # fmt: skip


@pytest.mark.parametrize(("cgroup", "files", "expected"), CASES.values(), ids=CASES)
def test_free_memory(cgroup, files, expected, tmp_path):
    assert large_files.free_memory(system(tmp_path, cgroup, files)) == expected * MIB


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of processes on Windows")
def test_allowance_is_half_of_free_memory(tmp_path, monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(
        large_files.free_memory, "__defaults__", (system(tmp_path, HERE, v2("", 1000 * MIB, 700 * MIB)),)
    )
    assert large_files.allowance() == 150 * MIB
