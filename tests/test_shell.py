"""The shell scripts: clear messages, no work where nothing is to do, clean under shellcheck."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(ROOT.glob("launch/*.sh"))


def bash(script, *arguments, cwd, **environment):
    env = os.environ | {key: str(value) for key, value in environment.items()}
    return subprocess.run(["bash", str(script), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def clone(tmp_path):
    """The scripts and what they read, in a folder with a space in its name."""
    folder = tmp_path / "my clone"
    shutil.copytree(ROOT / "launch", folder / "launch")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_an_old_python_is_one_clear_message(clone, tmp_path):
    old = executable(tmp_path / "old" / "python3", "#!/bin/sh\nexit 1\n")
    done = bash(clone / "launch" / "quickstart.sh", cwd=tmp_path, RCA_PYTHON=old)
    assert done.returncode == 2
    assert done.stderr == f"quickstart.sh: RCA_PYTHON={old} is not Python 3.11 or later\n"
    assert not (clone / ".venv").exists()


def test_a_missing_venv_module_names_the_package(clone, tmp_path):
    # A Python that is new enough and lacks venv, as Debian ships it without python3-venv.
    lacking = executable(
        tmp_path / "bin" / "python3",
        f'#!/bin/sh\ncase "$*" in *venv*) exit 1;; esac\nexec {sys.executable} "$@"\n',
    )
    done = bash(clone / "launch" / "test.sh", cwd=tmp_path, RCA_PYTHON=lacking)
    assert done.returncode == 2
    assert "python3-venv" in done.stderr


def test_a_full_disk_is_found_before_the_installation(clone, tmp_path):
    executable(tmp_path / "bin" / "df", "#!/bin/sh\necho h\necho fs 1 1 1000 1 /\n")
    done = bash(clone / "launch" / "quickstart.sh", cwd=tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert done.returncode == 2
    assert "0 MiB are free" in done.stderr


@pytest.mark.parametrize(("script", "extras"), [("quickstart.sh", "deepspeed"), ("test.sh", "deepspeed-dev")])
def test_nothing_is_installed_twice_and_arguments_go_through(clone, tmp_path, script, extras):
    if sys.platform != "linux":
        extras = extras.removeprefix("deepspeed").removeprefix("-")
    venv = clone / ".venv"
    for name in ("python", "rca-dist"):
        executable(venv / "bin" / name, '#!/bin/sh\necho "$(basename "$0") $*"\n')
    texts = (clone / "pyproject.toml").read_bytes() + (clone / "constraints.txt").read_bytes()
    stamp = subprocess.run(["cksum"], input=texts, capture_output=True).stdout.decode().strip()
    (venv / f"rca-installed-{extras}").write_text(stamp)
    done = bash(clone / "launch" / script, "--x=a b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"quickstart.sh": "rca-dist train --x=a b\n", "test.sh": "python -m pytest -m not slow and not slurm --x=a b\n"}
    assert done.stdout == expected[script]


def test_scripts_pass_shellcheck():
    checker = Path(sys.executable).with_name("shellcheck")
    if not checker.exists():
        pytest.skip("shellcheck is not installed (the dev extra brings it)")
    assert len(SCRIPTS) >= 3
    done = subprocess.run(
        [str(checker), "-x", *map(str, SCRIPTS), str(ROOT / ".ci" / "run")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout + done.stderr == ""
