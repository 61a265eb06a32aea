"""firstlight in a notebook: a real kernel runs the cells."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from firstlight.datasets import mnist

# A kernel's own warnings, about its event loop, are not ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

CELLS = [
    "import firstlight as fl",
    "run = fl.train('mlp', data=DATA, epochs=2, seed=1)\nrun",
    "run.evaluate()",
    "run.learning_curves()",
    "run.evaluate(quiet=True).confusion_matrix()",
    "fl.read('7.png', single=True)",
    "other = fl.train('softmax', data=DATA, steps=50, quiet=True)\n"
    "fl.compare(run, other, quiet=True)",
    "run.explain('7.png', quiet=True)",
    "search = fl.find_lr('softmax', data=DATA, quiet=True)\nsearch.figure",
    "run.report(quiet=True)",
    "run.graph()",
    "search",
    "import threading\n"
    "thread = threading.Thread(target=lambda: fl.train('softmax', data=DATA, steps=200))\n"
    "thread.start(); thread.join()",
    "import matplotlib\nmatplotlib.rcParams['font.size'], matplotlib.rcParams['figure.dpi']",
    "fl.load('nowhere')",
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> list[Any]:
    """The notebook's cells after a kernel has run them; the last one fails, and is meant to."""
    folder = tmp_path_factory.mktemp("notebook")
    Image.fromarray(255 - mnist.load("test").images[0][..., 0]).save(folder / "7.png")
    sources = [cell.replace("DATA", repr(str(digits))) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    with pytest.raises(CellExecutionError):
        client.execute()
    return list(notebook.cells)


def shown(cell: Any, kind: str) -> list[str]:
    """Return what a cell shows in a format, such as text/html."""
    contents = [each.data[kind] for each in cell.outputs if kind in each.get("data", {})]
    return [content for content in contents if content]  # progress that has ended leaves nothing


def printed(cell: Any, stream: str) -> str:
    return "".join(each.text for each in cell.outputs if each.get("name") == stream)


def cell_with(cells: list[Any], text: str) -> Any:
    (cell,) = [each for each in cells if text in each.source]
    return cell


def test_nothing_is_printed_on_stderr(cells: list[Any]) -> None:
    assert [printed(cell, "stderr") for cell in cells] == [""] * len(cells)


def test_a_training_shows_its_progress_and_its_curves(cells: list[Any]) -> None:
    progress, result = shown(cells[1], "text/html")
    assert "mlp on" in progress and "epoch 2  validation accuracy" in progress
    assert "<progress" in progress and "9 of 9" in progress
    assert "test accuracy" in result and "data:image/png;base64," in result


def test_progress_is_shown_in_a_thread_too(cells: list[Any]) -> None:
    (progress,) = shown(cell_with(cells, "threading"), "text/html")
    assert "softmax on" in progress and "200 of 200" in progress


def test_results_show_themselves(cells: list[Any]) -> None:
    (evaluation,) = [html for html in shown(cells[2], "text/html") if "recall" in html]
    assert "95 % confidence interval" in evaluation and "data:image/png" in evaluation
    (reading,) = shown(cell_with(cells, "fl.read"), "text/html")
    assert "data:image/png" in reading and "<div>7</div>" in reading
    (comparison,) = shown(cell_with(cells, "fl.compare"), "text/html")
    assert "better" in comparison or "no significant difference" in comparison
    (explanation,) = shown(cell_with(cells, "explain"), "text/html")
    assert explanation.count("data:image/png") >= 3
    (graph,) = shown(cell_with(cells, "graph"), "text/html")
    assert graph.count("data:image/svg+xml") == 2
    (search,) = shown(cells[11], "text/html")
    assert "try --lr" in search and "data:image/png" in search
    (report,) = shown(cell_with(cells, "report"), "text/html")
    assert "<iframe" in report


@pytest.mark.parametrize("name", ["learning_curves", "confusion_matrix", ".figure"])
def test_figures_are_objects_that_the_cell_draws(cells: list[Any], name: str) -> None:
    assert shown(cell_with(cells, name), "image/png")


def test_the_users_settings_of_matplotlib_are_left_alone(cells: list[Any]) -> None:
    import matplotlib

    default = matplotlib.rcParamsDefault
    expected = f"({default['font.size']}, {default['figure.dpi']})"
    assert expected in shown(cell_with(cells, "rcParams"), "text/plain")


def test_an_error_is_the_packages_own(cells: list[Any]) -> None:
    (error,) = [each for each in cells[-1].outputs if each.output_type == "error"]
    assert (error.ename, error.evalue) == ("DataError", "no run at nowhere")
