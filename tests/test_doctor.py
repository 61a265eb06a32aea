"""`firstlight doctor`: what is here, what is missing for which verb, and what is broken."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer

from firstlight import console, diagnosis
from firstlight.diagnosis import machine, packages, workers

Firstlight = Callable[..., Answer]
WORKING = workers.WorkersCheck(True, "yes: two of them", 1.0, ("NVIDIA A100",), None)
ROOT = Path(__file__).parents[1]


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `doctor` where a module is not installed."""
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from firstlight.diagnosis import packages\n"
        "packages.import_problems = lambda modules: {}  # in the other process it is installed\n"
        "from firstlight.__main__ import main\nmain()\n"
    )
    command = [sys.executable, "-c", program, "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> diagnosis.Diagnosis:
    """A diagnosis, for which no process was started."""
    monkeypatch.setattr(diagnosis, "check_workers", lambda: WORKING)
    monkeypatch.setattr(packages, "import_problems", lambda modules: {})
    return diagnosis.doctor()


def test_without_tensorflow_it_says_which_command_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("TF_CONFIG", "{hunter2-hunter2")
    done = run_without("tensorflow", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["problems"]) == (0, "", [])
    assert document["workers"]["works"] is None and document["workers"]["gpus"] is None
    train = next(extra for extra in document["extras"] if extra["name"] == "train")
    assert train["missing"] == ["tensorflow"] and train["command"] == "pip install '.[train]'"
    assert "hunter2" not in done.stdout


@pytest.mark.parametrize("module", ["matplotlib", "nbformat", "pypdfium2"])
def test_a_missing_extra_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, firstlight: Firstlight, module: str
) -> None:
    monkeypatch.setattr(diagnosis, "check_workers", lambda: WORKING)
    monkeypatch.setattr(packages, "import_problems", lambda modules: {})
    monkeypatch.setitem(sys.modules, module, None)
    answer = firstlight("doctor")
    assert (answer.code, answer.err) == (0, "") and f"missing: {module}" in answer.out


def test_what_is_printed_fits_80_columns(found: diagnosis.Diagnosis) -> None:
    problem = "numpy cannot be imported: " + "it is broken " * 20
    lines = console.diagnosis(replace(found, problems=(problem,)))
    assert max(map(len, lines)) <= 80
    assert "NVIDIA A100" in "\n".join(lines) and "Broken:" in lines


def test_the_document_is_what_python_returns(found: diagnosis.Diagnosis) -> None:
    document = json.loads(json.dumps(found.to_json()))
    assert list(document) == ["firstlight", "python", "machine", "extras", "workers", "problems"]
    assert document["machine"]["memory"]["total"] == found.machine.memory.total
    assert document["extras"][0]["packages"][1]["version"] == found.extras[0].packages[1].version


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {"": project["dependencies"], **project["optional-dependencies"]}
    del named["dev"], named["gpu"]  # `gpu` brings the packages of `train`
    for name, lines in named.items():
        distributions = {re.split(r"[\[>=-]+(?=[\[>=\d]|cpu)", line)[0] for line in lines}
        assert distributions == set(packages.EXTRAS[name][0].values())
    assert set(named) == set(packages.EXTRAS)
    (major, oldest), (_, newest) = diagnosis.OLDEST, diagnosis.NEWEST
    assert project["requires-python"] == f">={major}.{oldest},<{major}.{newest + 1}"


def test_every_verb_stands_with_an_extra() -> None:
    from test_cli import VERBS

    purposes = " ".join(purpose for _, purpose in packages.EXTRAS.values())
    assert [verb for verb in VERBS if verb not in purposes] == ["doctor"]


def test_what_cannot_be_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = {
        "first_fine": "print('a package may print this')",
        "raises": "raise OSError('libthing.so.1: cannot open\\nsecond line')",
        "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "exits": "import os; os._exit(3)",
        "last_fine": "",
    }
    for name, program in programs.items():
        (tmp_path / f"{name}.py").write_text(program)
    path = os.pathsep.join([str(tmp_path), str(Path(diagnosis.__file__).parents[2])])
    monkeypatch.setenv("PYTHONPATH", path)
    assert packages.import_problems(list(programs)) == {
        "raises": "OSError: libthing.so.1: cannot open",
        "crashes": "its import was ended by signal 9",
        "exits": "its import ended with exit code 3",
    }


def test_what_takes_too_long_to_import_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sleeps", "not_reached"):
        (tmp_path / f"{name}.py").write_text("import time; time.sleep(60)")
    path = os.pathsep.join([str(tmp_path), str(Path(diagnosis.__file__).parents[2])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr(packages, "SECONDS", 0.5)
    problems = packages.import_problems(["sleeps", "not_reached"])
    assert problems == {"sleeps": None, "not_reached": None}


def test_what_was_not_tried_is_said(found: diagnosis.Diagnosis) -> None:
    base = found.extras[0]
    slow = replace(base, packages=(replace(base.packages[0], problem=None), *base.packages[1:]))
    assert diagnosis.package_problems((slow,)) == []
    lines = console.diagnosis(replace(found, extras=(slow,)))
    assert "Not tried, for want of time: markdown-it-py." in lines


def test_a_broken_package_is_named_and_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, firstlight: Firstlight
) -> None:
    monkeypatch.setattr(diagnosis, "check_workers", lambda: WORKING)
    monkeypatch.setattr(packages, "import_problems", lambda modules: {"PIL": "OSError: no libjpeg"})
    answer = firstlight("doctor")
    assert (answer.code, answer.err) == (1, "")
    assert "- pillow cannot be imported: OSError: no libjpeg" in answer.out


SUM = ['{"gpus": []}', '{"sum": 3.0}']


@pytest.mark.parametrize(
    ("ends", "works", "message"),
    [
        ([(0, SUM), (0, SUM)], True, "yes: two of them have exchanged"),
        ([(0, SUM), (0, ['{"gpus": []}', '{"sum": 1.0}'])], False, "no: one plus two is 3 and 1"),
        ([(-4, []), (None, [])], False, "no: a worker was ended by signal 4"),
        ([(None, []), (None, SUM[:1])], None, "not known: TensorFlow has not started within 45 s"),
        ([(None, SUM[:1]), (None, SUM[:1])], False, "no: they have not reached each other within"),
    ],
)
def test_what_came_out_of_the_workers(ends: Any, works: bool | None, message: str) -> None:
    check = workers.judged(ends, seconds=1)
    assert check.works is works and message in check.message


def test_workers_that_take_too_long_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    monkeypatch.setattr(workers, "SECONDS", 0.1)
    start = workers.start
    monkeypatch.setattr(
        workers, "start", lambda *arguments: started.append(start(*arguments)) or started[-1]
    )
    check = workers.check_workers()
    assert check.works is None and "not known" in check.message  # and so it is no problem
    assert len(started) == 2 and all(process.returncode == -9 for process in started)


@pytest.mark.large
def test_two_workers_exchange_their_numbers() -> None:
    check = workers.check_workers()
    assert check.works and check.message.startswith("yes") and check.gpus is not None
    assert check.gpus or check.bfloat16_speedup


@pytest.mark.parametrize(
    ("gpus", "speedup", "expected", "reason"),
    [
        (["A100"], None, None, "measured on the GPU when a training starts"),
        ([], None, None, "not known"),
        ([], 0.2, "float32", "0.2 times as fast as in float32"),
        ([], 1.8, "bfloat16", "1.8 times as fast as in float32"),
    ],
)
def test_the_precision_is_what_was_measured(
    gpus: list[str], speedup: float | None, expected: str | None, reason: str
) -> None:
    precision, why = machine.precision_here(gpus, speedup)
    assert precision == expected and reason in why


@pytest.mark.parametrize(
    ("files", "memory", "cores"),
    [
        ({}, None, None),
        ({"a/b/memory.max": "max\n", "a/b/cpu.max": "max 100000\n"}, None, None),
        ({"a/b/memory.max": "max", "a/memory.max": "1000\n"}, 1000, None),
        ({"a/b/memory.max": "500", "a/memory.max": "1000"}, 500, None),
        ({"a/cpu.max": "150000 100000"}, None, 1.5),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None, None),
        ({"memory/memory.limit_in_bytes": "2000"}, 2000, None),
    ],
)
def test_the_limits_of_a_container(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    memory: int | None,
    cores: float | None,
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    folders = [tmp_path / "a" / "b", tmp_path / "a", tmp_path]
    assert machine.memory_limit(folders) == memory
    assert machine.core_limit(folders) == cores
