"""The GitHub Action, the pre-commit hook and the Dockerfile, checked without GitHub and Docker."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from command_line import run
from test_release import PINNED

import edgekit as ek

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOK = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())[0]


def make_image(sigma):
    rough = np.random.default_rng(4).integers(30, 220, (16, 20, 3)).astype(np.uint8)
    image = cv2.resize(rough, (400, 320), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a sharp and a blurred image, and a commit that adds more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "someone")
    git("init", "-q")
    ek.write_image("old.png", make_image(9))
    commit()
    return tmp_path


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit():
    git("add", "-A")
    git("commit", "-q", "-m", "images", "--no-verify")


def check(**extra):
    """Run the script of the action."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "BASE": "HEAD~1"} | extra
    return subprocess.run([ROOT / ".ci" / "check-images"], env=environment, capture_output=True, text=True)


def test_check_images_fails_for_added_blurred_images(repository):
    ek.write_image("new image.png", make_image(9))
    ek.write_image("sharp.png", make_image(0))
    ek.write_image("icon.png", np.zeros((16, 16), np.uint8))
    commit()
    ran = check()
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.splitlines() == ["::error file=new image.png::This image is blurred: its score is below 0.5."]
    assert check(THRESHOLD="0").returncode == 0
    git("rm", "-q", "new image.png")
    commit()
    assert check(BASE="HEAD~2").returncode == 0
    ran = check(BASE="0" * 40)
    assert (ran.returncode, ran.stdout.count("file=old.png")) == (3, 1)
    assert check(BASE="HEAD~2", PATTERNS="*.jpg").stdout == "No image was added or changed.\n"


def test_the_action_runs_its_script_and_only_pinned_actions():
    steps = ACTION["runs"]["steps"]
    lines = [line.strip(" -") for line in (ROOT / "action.yml").read_text().splitlines() if "uses:" in line]
    assert [line.split()[1] for line in lines] == [step["uses"] for step in steps if "uses" in step]
    assert all(PINNED.fullmatch(line) for line in lines)
    script = steps[-1]["run"].splitlines()[-1]
    assert script == '"$GITHUB_ACTION_PATH/.ci/check-images"'
    # Inputs are passed in the environment, never inserted into the script.
    assert "${{" not in steps[-1]["run"]
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} == {*steps[-1]["env"].values()}


def test_exit_codes_of_the_hook(repository):
    _, *command = shlex.split(HOOK["entry"])
    ek.write_image("sharp.png", make_image(0))
    ek.write_image("icon.png", np.zeros((16, 16), np.uint8))
    assert run(*command, "sharp.png", "icon.png").exit_code == 0
    found = run(*command, "sharp.png", "old.png")
    assert (found.exit_code, found.stdout) == (3, "old.png\n")
    Path("broken.png").write_bytes(b"broken")
    assert run(*command, "broken.png").exit_code == 1
    assert HOOK["language"] == "python"


def test_dockerfile_dependencies_and_files():
    text = (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.search(r'"/src\[([\w,]+)\]"', text)[1].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    # The headless package replaces opencv-python, with the same lower bound.
    (opencv,) = (name for name in project["dependencies"] if name.startswith("opencv-python"))
    assert opencv.replace("opencv-python", "opencv-python-headless") in text
    copied = {name for line in re.findall(r"^COPY (.*) /src", text, re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == copied
    assert 'ENTRYPOINT ["edgekit"]' in text
    assert project["scripts"]["edgekit"]
