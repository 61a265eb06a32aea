"""The contract of the command line: exit codes, one-line errors, JSON keys, a quick start."""

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.request import urlopen

import pytest
import typer
from conftest import Answer, Make
from PIL import Image

from firstlight import catalog, cli, console
from firstlight.datasets import mnist
from firstlight.errors import TRAIN_PACKAGES, UsageError
from firstlight.settings import MAX_SEED

Firstlight = Callable[..., Answer]
NETWORKS = ", ".join(entry.name for entry in catalog.networks())
VERBS = [
    "first-graph", "train", "find-lr", "evaluate", "compare", "report", "graph", "explain",
    "classify", "predict", "export", "read", "serve", "data check", "list", "doctor",
    "lessons", "site",
]  # fmt: skip


def is_one_line(answer: Answer) -> bool:
    lines = answer.err.splitlines()
    return answer.out == "" and len(lines) == 1 and lines[0].startswith("firstlight: ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train"], 2, f"no network ''; networks: {NETWORKS}"),
        (["train", "lenet"], 2, f"no network 'lenet'; networks: {NETWORKS}"),
        (["train", "softmax", "--recipe", "fast"], 2, "no recipe 'fast' for softmax; recipes: d"),
        (["train", "softmax", "--epochs", "1", "--steps", "1"], 2, "give only one"),
        (["train", "softmax", "--epochs", "0"], 2, "--epochs"),
        (
            ["train", "softmax", "--lr", "1e9"],
            2,
            "is 1000000000.0; it must be a number above 0 and",
        ),
        (["train", "softmax", "--lr", "nan"], 2, "above 0 and at most 100"),
        (["train", "softmax", "--lr", "fast"], 2, "--lr"),
        (["train", "softmax", "--bogus"], 2, "--bogus"),
        (
            ["train", "softmax", "--data", "nowhere"],
            4,
            "no folder or file nowhere; datasets: ",
        ),
        (["train", "softmax", "--data", "."], 4, "the folder is empty"),
        (["train", "softmax", "--resume", "nowhere"], 2, "leave out network"),
        (["train", "--resume", "nowhere"], 4, "no run at nowhere"),
        (["train", "--resume", "nowhere", "--lr", "1"], 2, "leave out lr"),
        (["evaluate"], 2, "RUN"),
        (["evaluate", "nowhere"], 4, "no run at nowhere"),
        (["evaluate", "nowhere", "--split", "exam"], 2, "--split"),
        (
            ["graph", "nowhere"],
            2,
            f"no network or run 'nowhere'; networks: first-graph, {NETWORKS}",
        ),
        (["first-graph", "--steps", "0"], 2, "--steps"),
        (["first-graph", "--limit", "0"], 2, "--limit"),
        (["first-graph", "--lr", "1e38", "--steps", "20"], 2, "above 0 and at most 100"),
        (["bogus"], 2, "bogus"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_with_the_contracts_code(
    firstlight: Firstlight, arguments: list[str], code: int, message: str
) -> None:
    answer = firstlight(*arguments, "-q") if arguments != ["bogus"] else firstlight("bogus")
    assert answer.code == code
    assert message in answer.err and is_one_line(answer)


def test_a_damaged_bundled_file_is_exit_4(
    firstlight: Firstlight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(mnist.DIRECTORY, tmp_path / "files"))
    labels = copy / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-9])
    monkeypatch.setattr(mnist, "DIRECTORY", copy)
    for verb in (["first-graph"], ["train", "softmax"]):
        answer = firstlight(*verb)
        assert answer.code == 4 and is_one_line(answer)
        assert "train-labels-idx1-ubyte.gz: damaged or truncated gzip" in answer.err
    assert not (tmp_path / "runs").exists()


def test_list_is_what_the_folders_hold(firstlight: Firstlight) -> None:
    listed = json.loads(firstlight("list", "--json").out)
    files = {path.stem for path in (catalog.PACKAGE / "networks").glob("[!_]*.py")}
    assert {entry["name"].replace("-", "_") for entry in listed["networks"]} == files
    for entry in listed["networks"]:
        network = catalog.network(entry["name"])
        assert entry["input"] == list(network.input) and entry["parameters"] == network.parameters
        assert entry["recipes"] == list(network.recipes)
    assert listed["datasets"] == [entry.to_json() for entry in catalog.datasets()]
    printed = firstlight("list").out
    assert all(entry["name"] in printed for entry in listed["networks"] + listed["datasets"])


def measured(file: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The committed results of unchanged recipes: (network, recipe) → a line for each seed."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    path = Path(__file__).parents[1] / "benchmarks" / "results" / file
    for line in map(json.loads, path.read_text("utf-8").splitlines()):
        verb, *words = line["command"].removeprefix("firstlight ").split()
        if verb == "train" and not {"--epochs", "--steps", "--lr", "--batch-size"} & set(words):
            recipe = words[words.index("--recipe") + 1] if "--recipe" in words else ""
            recipe = recipe or next(iter(catalog.recipes(words[0])))
            found.setdefault((catalog.recipes(words[0])[recipe], recipe), []).append(line)
    return found


@pytest.mark.parametrize(
    ("file", "data", "accuracy"),
    [
        ("ladder.jsonl", "mnist", "test_accuracy"),
        ("pictures.jsonl", "photographs", "middle_accuracy"),
    ],
)
def test_list_shows_what_the_benchmarks_measured(file: str, data: str, accuracy: str) -> None:
    shown = {
        (entry.name, recipe): (reach.accuracy, reach.seconds)
        for entry in catalog.networks()
        for recipe, reach in entry.reaches.items()
        if reach.data == data
    }
    results = measured(file)
    assert shown.keys() == results.keys()
    for key, lines in results.items():
        means = [mean(line[each] for line in lines) for each in (accuracy, "seconds")]
        assert shown[key] == pytest.approx(means, rel=0.005)
        assert shown[key][0] == pytest.approx(means[0], abs=0.0005)


def test_networks_are_listed_in_the_order_of_the_ladder(firstlight: Firstlight) -> None:
    names = [entry.name for entry in catalog.networks()]
    climb = ["softmax", "mlp", "convnet", "lenet5", "nin", "convnet-record", "nin-cifar", "zfnet"]
    assert [name for name in names if name in climb] == climb
    printed = firstlight("list").out.splitlines()
    assert max(map(len, printed)) <= 100
    assert "For photographs, start with `firstlight train convnet-photos --data DIR`." in printed


def test_a_network_needs_no_paper_and_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "networks").mkdir()
    file = tmp_path / "networks" / "my_own.py"
    file.write_text('INPUT = (28, 28, 1)\nPARAMETERS = 10\nRECIPES = {"quick": Recipe()}\n')
    monkeypatch.setattr(catalog, "PACKAGE", tmp_path)
    (entry,) = catalog.networks.__wrapped__()
    assert entry.to_json()["paper"] == "" and entry.to_json()["reaches"] == {}
    row = console.catalog([entry], [catalog.DatasetEntry("mnist", 10)])[1]
    assert row.split() == ["my-own", "28×28×1", "10", "quick", "not", "measured"]


@pytest.mark.parametrize(
    "reaches", ["99", '{"quick": 99}', '{"quick": ("mnist", "99 %", 1)}', "f()"]
)
def test_a_malformed_measurement_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reaches: str
) -> None:
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "own.py").write_text(
        f"INPUT = (28, 28, 1)\nPARAMETERS = 10\nRECIPES = {{}}\nREACHES = {reaches}\n"
    )
    monkeypatch.setattr(catalog, "PACKAGE", tmp_path)
    with pytest.raises(UsageError, match="REACHES must be"):
        catalog.networks.__wrapped__()


def test_first_graph_prints_its_falling_cost(firstlight: Firstlight) -> None:
    lines = firstlight("first-graph", "--steps", "25", "--log-every", "10").out.splitlines()
    costs = [line for line in lines if re.fullmatch(r"Cost: \d+\.\d{6}", line)]
    assert len(costs) == 4  # steps 1, 11, 21 and the last
    validated = r"Validation accuracy after (\d+) steps: \d+\.\d\d%"
    assert re.findall(validated, "\n".join(lines)) == ["0", "25"]
    assert any(line.startswith("test accuracy ") for line in lines)
    assert any(line.startswith("predicted ") for line in lines)
    assert any(line == "labels     7 2 1 0 4 1 4 9 5 9 0 6 9 0 1 5 9 7 3 4" for line in lines)


def test_a_run_folder_is_not_written_over(firstlight: Firstlight, digits: Path) -> None:
    train = ["train", "softmax", "--data", digits, "--steps", "2", "--out", "run"]
    assert firstlight(*train).code == 0
    answer = firstlight(*train, "-q")
    assert answer.code == 2 and "run is not empty" in answer.err


def test_a_dry_run_does_everything_once_and_leaves_nothing(
    firstlight: Firstlight, digits: Path, here: Path
) -> None:
    flags = ("--batch-size", 3, "--dry-run", "--json")
    answer = firstlight("train", "lenet5", "--data", digits, *flags)
    assert answer.code == 0 and not list(here.iterdir())
    result = json.loads(answer.out)
    assert result["steps"] == 1 and result["run"] is None
    assert result["test_accuracy"] in (0, 1 / 3, 2 / 3, 1)  # measured on one batch


def test_limit_and_lr_and_batch_size_override_the_recipe(
    firstlight: Firstlight, digits: Path, here: Path
) -> None:
    flags = ["--limit", 40, "--lr", 0.02, "--batch-size", 20, "--epochs", 3, "--out", "run"]
    result = json.loads(firstlight("train", "mlp", "--data", digits, *flags, "--json").out)
    assert result["steps"] == 6
    record = json.loads((here / "run/run.json").read_text())
    assert record["recipe"]["learning_rate"] == 0.02 and record["recipe"]["batch_size"] == 20
    assert record["limit"] == 40 and record["seed"] == 0
    assert {"format", "versions", "machine", "sha256"} <= record.keys()
    assert record["command"].startswith("firstlight train mlp --data ")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list"], ["train", "--help"]])
def test_it_starts_without_tensorflow_and_numpy(arguments: list[str]) -> None:
    program = (
        "import sys; sys.argv = ['firstlight', *sys.argv[1:]]\n"
        "from firstlight import cli\n"
        "assert cli.run() == 0\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'numpy'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("arguments", [[], ["data"], ["-h"], ["data", "check", "-h"]])
def test_without_a_verb_the_help_is_printed(firstlight: Firstlight, arguments: list[str]) -> None:
    answer = firstlight(*arguments)
    assert answer.code == 0 and not answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("Usage: ") and any("-h, --help" in line for line in lines)


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 2)])
def test_a_closed_stream_ends_in_no_traceback(tmp_path: Path, closed: str, code: int) -> None:
    verb = "list" if code == 0 else "no-such-verb"
    log = tmp_path / "log"
    other = "2>" if closed == ">&-" else ">"
    command = f'"{sys.executable}" -m firstlight {verb} {other} "{log}" {closed}'
    assert subprocess.run(["sh", "-c", command], check=False).returncode == code
    assert log.read_text() == ""


def test_the_program_imports_next_to_nothing_before_it_can_answer_ctrl_c() -> None:
    program = (
        "import sys; before = set(sys.modules)\n"
        "import firstlight.__main__\n"
        "print(*sorted(sys.modules.keys() - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["firstlight", "firstlight.__main__", "firstlight.errors"]


def test_the_largest_seed_is_that_of_the_settings(firstlight: Firstlight) -> None:
    assert f"0<=x<={MAX_SEED}" in firstlight("train", "--help").out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_takes_json_and_quiet(firstlight: Firstlight, verb: str) -> None:
    answer = firstlight(*verb.split(), "--help")
    assert answer.code == 0
    assert all(flag in answer.out for flag in ("--json", "--quiet", "--verbose"))


@pytest.mark.parametrize(
    ("package", "verb"),
    [
        ("tensorflow", "train softmax"),
        ("keras", "first-graph"),
        ("matplotlib", "train softmax"),
        ("matplotlib", "first-graph"),
        ("onnx", "export RUN --format onnx"),
        pytest.param("tf2onnx", "export RUN --format litert", marks=pytest.mark.large),
        ("nbformat", "lessons DIR"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    here: Path, trained: Make, package: str, verb: str
) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from firstlight.__main__ import main\nmain()\n"
    )
    words = verb.replace("RUN", str(trained("softmax"))).split()
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.count("\n") == 1
    assert f"{package} is not installed; it comes with the extra `train`: pip " in done.stderr
    assert not list(here.iterdir())


def test_the_extra_train_brings_what_the_message_says() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    extra = {
        re.split(r"[\[>=-]", line)[0]
        for line in project["project"]["optional-dependencies"]["train"]
    }
    assert extra == set(TRAIN_PACKAGES)


def test_a_place_where_nothing_can_be_written(firstlight: Firstlight, here: Path) -> None:
    (here / "file").touch()
    answer = firstlight("train", "softmax", "--steps", "1", "--out", "file/run", "--quiet")
    assert answer.code == 1 and is_one_line(answer) and "file" in answer.err


INTERRUPTED = """
import os, signal, sys

_, module, *sys.argv[1:] = sys.argv
signal.signal(signal.SIGINT, signal.default_int_handler)  # also if the tests run in the background

class CtrlC:  # it is pressed when this module is looked for
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
from firstlight.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("module", "verb"),
    [
        ("firstlight.interrupt", "list"),
        ("typer", "list"),
        ("numpy", "read 7.png"),
        ("numpy._core._multiarray_umath", "read 7.png"),
        ("onnxruntime.capi.onnxruntime_pybind11_state", "read 7.png"),
        ("firstlight.datasets.mnist", "data check mnist"),
        ("tensorflow", "first-graph"),
        ("tensorflow.python.framework.ops", "first-graph"),
        ("keras.src.backend", "train mlp"),
        ("firstlight.figures.training", "train mlp"),  # after TensorFlow, before the first step
        ("tf2onnx", "export run --format onnx"),
    ],
)
def test_ctrl_c_is_one_line_and_exit_130(here: Path, trained: Make, module: str, verb: str) -> None:
    Image.fromarray(mnist.load("test").images[0][..., 0]).save(here / "7.png")
    (here / "run").symlink_to(trained("softmax"))
    command = [sys.executable, "-c", INTERRUPTED, module, *verb.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "firstlight: interrupted\n")


def test_a_second_ctrl_c_ends_at_once_what_has_caught_the_first() -> None:
    program = (
        "import os, signal\n"
        "from firstlight import interrupt\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def run():\n"
        "    for _ in range(2):\n"
        "        try:\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "        except BaseException:\n            print('caught', flush=True)\n"
        "    print('ran on', flush=True)\n"
        "interrupt.guarded(run)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "caught\n")
    assert done.stderr == "firstlight: interrupted\n"


def test_a_ctrl_c_that_python_drops_ends_a_training_before_its_first_step() -> None:
    program = (
        "import os, signal\n"
        "from firstlight import interrupt\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Dropping:\n"
        "    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "def run():\n"
        "    Dropping()\n"
        "    from firstlight.training.loop import stop_signals\n"
        "    with stop_signals():\n        print('trained', flush=True)\n"
        "interrupt.guarded(run)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("firstlight: interrupted\n")


def test_in_the_background_of_a_script_ctrl_c_stays_ignored() -> None:
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from firstlight import interrupt\n"
        "interrupt.guarded(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words call, and the words that it parses."""
    command = typer.main.get_command(cli.app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_the_help_says_what_to_do_first(firstlight: Firstlight) -> None:
    out = firstlight().out
    first = re.findall(r"^    firstlight (.+?)  +\w", out, re.MULTILINE)
    assert first == ["first-graph", "train convnet", "read photo.jpg"]
    titles = [line for line in out.splitlines() if re.fullmatch(r"\w+:", line)]
    assert titles == ["Learn:", "Understand:", "Use:", "Options:"]
    verbs = list(typer.main.get_command(cli.app).commands)
    assert set(verbs) == {verb.split()[0] for verb in VERBS}
    for verb in verbs:
        assert len(re.findall(rf"^  {verb} ", out, re.MULTILINE)) == 1
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_ends_with_two_examples_that_can_be_run(
    firstlight: Firstlight, verb: str
) -> None:
    _, examples = firstlight(*verb.split(), "--help").out.split("\n  Examples:\n")
    lines = examples.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"    firstlight {verb}")
        command, words = command_of(shlex.split(line)[1:])
        given = command.make_context(verb, words).params  # raises for what does not exist
        names = [entry.name for entry in catalog.networks()]
        if verb == "train":
            assert given["network"] in names
            assert not given["recipe"] or given["recipe"] in catalog.recipes(given["network"])
        if verb == "graph":
            assert given["target"] in names or given["target"].startswith("runs/")
        for run in re.findall(r"runs/(\S+?)-\w+-\d+", line):  # as `train` names its folders
            assert run in names


COMPLETED = {  # a line whose last word is being typed → what a shell is answered
    "firstlight ex": ["explain", "export"],
    "firstlight data ": ["check"],
    "firstlight data check c": ["cutouts"],
    "firstlight train conv": [
        "convnet",
        "convnet-short",
        "convnet-record",
        "convnet-reader",
        "convnet-photos",
    ],
    "firstlight train convnet --re": ["--recipe", "--resume"],
    "firstlight train convnet --recipe r": ["record", "robust", "reader"],
    "firstlight train softmax --recipe ": ["default", "long", "pictures"],
    "firstlight train softmax --data cu": ["cutouts"],
    "firstlight train --resume ": ["runs/mlp-mnist-1", "runs/group/a"],
    "firstlight evaluate runs/m": ["runs/mlp-mnist-1"],
    "firstlight evaluate runs/mlp-mnist-1 runs/g": ["runs/group/a"],
    "firstlight export runs/mlp-mnist-1 --format l": ["litert"],
    "firstlight graph f": ["first-graph"],
    "firstlight train no-such-network --recipe ": [],
}
ANSWERED = {"bash": r"^(.+)$", "zsh": r'^(?:_arg.*?\(\()?"(.+?)"', "fish": r"^(.+?)(?:\t|$)"}


def asked(shell: str, line: str) -> dict[str, str]:
    """Return the environment in which a shell calls the program for the words of a line."""
    environment = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    return environment | {"_FIRSTLIGHT_COMPLETE": f"complete_{shell}"}


# The program is imported once. Each line then has a process of its own, which is a copy.
COMPLETING = """
import atexit, json, os, sys
from firstlight import __main__, cli
for environment in json.load(sys.stdin):
    if os.fork() == 0:
        os.environ |= environment
        atexit.register(lambda: print(*{"numpy", "tensorflow"} & sys.modules.keys(), end=""))
        __main__.main()
    assert os.wait()[1] == 0
    print(end="\\0", flush=True)
"""


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What each shell is answered for each line, in a folder with two runs."""
    folder = tmp_path_factory.mktemp("completed")
    for run in ("mlp-mnist-1", "group/a"):
        (folder / "runs" / run).mkdir(parents=True)
        (folder / "runs" / run / "run.json").touch()
    (folder / "runs" / "pictures").mkdir()  # no run
    questions = list(itertools.product(ANSWERED, COMPLETED))
    done = subprocess.run(
        [sys.executable, "-c", COMPLETING],
        input=json.dumps([asked(*question) for question in questions]),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *answers, end = done.stdout.split("\0")
    assert end == ""
    return dict(zip(questions, answers, strict=True))


@pytest.mark.parametrize("shell", ANSWERED)
@pytest.mark.parametrize("line", COMPLETED)
def test_shells_complete_words(
    completed: dict[tuple[str, str], str], shell: str, line: str
) -> None:
    words = re.findall(ANSWERED[shell], completed[shell, line], re.MULTILINE)
    assert sorted(words) == sorted(COMPLETED[line])


def test_a_completion_shows_no_error_of_a_broken_network(tmp_path: Path) -> None:
    program = (
        "from firstlight import catalog\n"
        "def networks(): raise SyntaxError('in a user''s file')\n"
        "catalog.networks = networks\n"
        "from firstlight.__main__ import main\nmain()\n"
    )
    environment = os.environ | {
        "_FIRSTLIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": "firstlight train ",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.fixture
def photographs(here: Path) -> Path:
    """A folder of pictures that gives notices: it has no test split, and one file is damaged."""
    images = mnist.load("test").first(16)
    for index, image in enumerate(images.images[:]):
        split = "train" if index < 12 else "val"
        folder = here / "photographs" / split / f"class{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).resize((64, 64)).save(folder / f"{index}.png")
    (here / "photographs" / "train" / "class0" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return here / "photographs"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("serve", "doctor")])
def test_quiet_shows_no_progress_and_no_notices(
    firstlight: Firstlight, photographs: Path, trained: Make, verb: str
) -> None:
    Image.fromarray(mnist.load("test").images[0][..., 0]).save("7.png")
    run = trained("softmax")
    if verb in ("evaluate", "compare"):  # on data that gives notices
        run = Path("run")
        firstlight("train", "softmax", "--data", photographs, "--steps", 2, "--out", run)
    if verb == "data check":  # a fault is an error, not a notice
        (photographs / "train" / "class0" / "damaged.png").unlink()
    arguments = {
        "first-graph": ["--steps", 2],
        "train": ["softmax", "--data", photographs, "--steps", 2],
        "find-lr": ["softmax", "--data", photographs],
        "evaluate": [run],
        "compare": [run, run],
        "report": [run],
        "graph": ["softmax"],
        "explain": [run, "7.png", "--out", "pictures"],
        "classify": [run, "7.png"],
        "predict": [run, "7.png", "--out", "answers.csv"],
        "export": [run, "--format", "onnx", "--out", "softmax.onnx"],
        "read": ["7.png"],
        "data check": [photographs],
        "list": [],
        "lessons": ["notebooks"],
        "site": ["pages"],
    }[verb]
    answer = firstlight(*verb.split(), *arguments, "--quiet")
    assert (answer.code, answer.err) == (0, "") and answer.out


def test_without_quiet_there_are_notices(firstlight: Firstlight, photographs: Path) -> None:
    train = ["train", "softmax", "--data", photographs, "--steps", 2, "--out", "run"]
    notices = firstlight(*train).err
    assert "has no test split" in notices and "damaged.png" in notices
    assert "has no test split" in firstlight("evaluate", "run").err


def test_quiet_serves_without_a_word_on_stderr(here: Path) -> None:
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout
        url = it.stdout.readline().split()[1]
        urlopen(url, timeout=30).close()  # it is ready
        it.send_signal(signal.SIGINT)
        _, err = it.communicate(timeout=30)
    assert (it.returncode, err) == (0, "")
