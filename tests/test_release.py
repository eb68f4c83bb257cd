"""Releases: pinned actions, permissions of workflows, one version number."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import edgekit as ek

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))

#: An action pinned to a commit, with its version in a comment.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def jobs():
    """Return the jobs of all workflows by file and name."""
    return {(w.name, name): job for w in WORKFLOWS for name, job in yaml.safe_load(w.read_text())["jobs"].items()}


def uses(job):
    """Return the actions and workflows that a job uses."""
    return [step["uses"] for step in (job, *job.get("steps", ())) if "uses" in step]


def test_names_of_workflows():
    assert [w.name for w in WORKFLOWS] == ["pages.yml", "release.yml", "test.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.name)
def test_actions_are_pinned_to_commits(workflow):
    parsed = [u for (file, _), job in jobs().items() if file == workflow.name for u in uses(job)]
    lines = [line.strip(" -") for line in workflow.read_text().splitlines() if "uses:" in line]
    # The search for lines finds all of them.
    assert [line.split()[1] for line in lines] == parsed
    assert parsed
    for line in lines:
        assert PINNED.fullmatch(line) or line.startswith("uses: ./"), line


def test_only_deploy_and_publish_jobs_have_more_permissions():
    for workflow in WORKFLOWS:
        assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    able = {key: job["permissions"] for key, job in jobs().items() if "permissions" in job}
    assert able == {
        ("pages.yml", "deploy"): {"pages": "write", "id-token": "write"},
        ("release.yml", "publish"): {"id-token": "write"},
    }
    assert [u.split("@")[0] for u in uses(jobs()["pages.yml", "deploy"])] == ["actions/deploy-pages"]
    publish = jobs()["release.yml", "publish"]
    # The job runs only these two actions, after build and test.
    assert [u.split("@")[0] for u in uses(publish)] == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert not any("run" in step for step in publish["steps"])
    assert (publish["needs"], jobs()["release.yml", "build"]["needs"]) == ("build", "test")


def test_scripts_of_workflows_exist():
    ran = {step["run"].split()[0] for job in jobs().values() for step in job.get("steps", ()) if "run" in step}
    for script in ran - {"test", "pip"}:
        assert (ROOT / script).stat().st_mode & 0o100, script


def test_version_and_changelog():
    assert re.fullmatch(r"\d+\.\d+\.\d+", ek.__version__)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == ek.__version__
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "edgekit/__init__.py"
