"""`pip install firstlight`, without extras: reading works, training says what it needs."""

import re
import subprocess
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from conftest import Make
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import firstlight
from firstlight.datasets import mnist


def needed(lines: list[str], found: dict[str, metadata.Distribution]) -> None:
    """Collect the distributions that requirements name, and theirs, extras left out."""
    for requirement in map(Requirement, lines):
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        name = canonicalize_name(requirement.name)
        if wanted and name not in found:
            found[name] = metadata.distribution(name)
            needed(metadata.requires(name) or [], found)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds firstlight and its base requirements alone."""
    folder = tmp_path_factory.mktemp("base") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    found: dict[str, metadata.Distribution] = {}
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    needed(project["project"]["dependencies"], found)
    assert not {"tensorflow", "tensorflow-cpu", "keras", "matplotlib"} & found.keys()
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    (packages / "firstlight").symlink_to(Path(firstlight.__file__).parent)
    for name in ("lessons", "docs", "benchmarks", "src", "README.md", "CHANGELOG.md"):
        (packages.parent / name).symlink_to(Path(__file__).parents[1] / name)
    for distribution in found.values():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder / "bin" / "python"


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-I", "-m", "firstlight", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_there_is_no_tensorflow(python: Path, tmp_path: Path) -> None:
    done = subprocess.run([python, "-I", "-c", "import tensorflow"], capture_output=True, text=True)
    assert "No module named 'tensorflow'" in done.stderr


def test_it_reads(python: Path, tmp_path: Path) -> None:
    images = mnist.load("test").images
    paper = 255 - np.pad(np.concatenate(list(images[[0, 1, 3], ..., 0]), axis=1), 10)
    Image.fromarray(paper).save(tmp_path / "digits.png")
    done = run(python, tmp_path, "read", "digits.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, "720\n", "")


def test_it_lists(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "list")
    assert done.returncode == 0 and "softmax" in done.stdout and done.stderr == ""


def test_it_says_what_is_missing(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    printed = " ".join(done.stdout.split())
    assert "not tried: TensorFlow is not installed" in printed
    assert "pip install '.[train]'" in printed and "Nothing is broken." in printed


def test_the_chapters_are_shown(python: Path) -> None:
    program = (
        "from firstlight.serve import chapter_views as views\n"
        "print(sum(b'<section' in views.chapter(row['name']).body for row in views.rows()))"
    )
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("9\n", "")


def test_the_page_gets_images_for_the_first_graph(python: Path) -> None:
    program = (
        "import gzip; from firstlight.serve.public_files import public_file; "
        "print(len(gzip.decompress(public_file('mnist-val.bin.gz'))))"
    )
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{1000 * 785}\n", "")


def test_the_site_is_written(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "site", "pages")
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "pages/index.html").is_file()


@pytest.mark.parametrize("noise", ["-q", "-v"])
@pytest.mark.parametrize(
    "verb",
    [
        "first-graph", "train softmax", "evaluate RUN", "compare RUN RUN", "graph softmax",
        "explain RUN a.png", "classify RUN a.png", "export RUN --format onnx",
    ],
)  # fmt: skip
def test_verbs_with_a_network_say_what_to_install(
    python: Path, tmp_path: Path, trained: Make, verb: str, noise: str
) -> None:
    run_folder = str(trained("softmax"))
    done = run(python, tmp_path, *verb.replace("RUN", run_folder).split(), noise)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "extra `train`" in done.stderr
    assert done.stderr.startswith("firstlight: tensorflow is not installed; ")
    assert not list(tmp_path.iterdir())


def test_the_lock_holds_what_the_package_allows_and_names_no_host() -> None:
    root = Path(__file__).parents[1]
    text = (root / "requirements.lock").read_text("utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    entries = [entry.partition(" \\\n") for entry in re.split(r"\n(?=\w)", text)]
    assert all(hashes.lstrip().startswith("--hash=sha256:") for _, _, hashes in entries)
    locked = [Requirement(line) for line, _, _ in entries]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    del extras["gpu"]  # for one kind of machine
    for wanted in map(Requirement, sum(extras.values(), project["dependencies"])):
        found = [each for each in locked if each.name == canonicalize_name(wanted.name)]
        assert found, f"{wanted.name} is not in requirements.lock; .ci/lock writes it anew"
        for each in found:
            (version,) = [specifier.version for specifier in each.specifier]
            assert wanted.specifier.contains(version), f"{each}, but pyproject.toml has {wanted}"
