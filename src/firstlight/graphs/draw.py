"""The verb `graph`: two pictures of a network's graph, as SVG files.

functional.svg   a box for each layer, with its output shape and parameters; for the first graph a
                 box for each operation that the chapter names (functional.py)
operations.svg   TensorFlow's own operations, a box for each name scope (operations.py)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from firstlight import catalog, first_graph
from firstlight.errors import UsageError
from firstlight.graphs import svg
from firstlight.graphs.functional import from_graph, from_keras
from firstlight.graphs.layout import Box, with_equal_widths
from firstlight.graphs.operations import from_operations, trace
from firstlight.networks._network import Network
from firstlight.runs.files import write_text
from firstlight.runs.run import Run

FIRST_GRAPH = "first-graph"


@dataclass(frozen=True)
class GraphPictures:
    """The pictures that `graph` has written."""

    target: str  # as the user named it
    files: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight graph --json` prints."""
        return {"target": self.target, "files": [str(file) for file in self.files]}

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.graph(self)


class Target(NamedTuple):
    """What is drawn: a network, or the first graph."""

    network: Network | None  # None for the first graph
    classes: int
    folder: Path  # for the pictures, unless the user gives another


def draw_graph(target: str | Run, out: Path | None = None, trust: bool = False) -> GraphPictures:
    """Write functional.svg and operations.svg of a network, a run, or "first-graph".

    Args:
        target: a run or its folder, a network's name or .py file, or "first-graph".
        out: the folder for the files; by default the run's figures, or runs/graph-NAME.
        trust: run the source of an own network that the run folder holds.

    Raises:
        UsageError, DataError: the network or run does not exist, or the run is not trained yet.
    """
    chosen, classes, default_folder = find_target(target, trust)
    if chosen is None:
        name = FIRST_GRAPH
        graph = first_graph.build().graph
        boxes, arrows = from_graph(graph)
    else:
        name = chosen.name
        network = chosen.build(classes)
        boxes, arrows = from_keras(network)
        graph = trace(network)
    subtitle = parameter_count(boxes)
    folder = out or default_folder
    pictures = {
        "functional.svg": svg.render(with_equal_widths(boxes), arrows, name, subtitle),
        "operations.svg": svg.render(
            *from_operations(graph), name, "TensorFlow's operations by scope"
        ),
    }
    for file, picture in pictures.items():
        write_text(folder / file, picture)
    name = str(target.folder) if isinstance(target, Run) else target
    return GraphPictures(name, tuple(folder / file for file in pictures))


def find_target(target: str | Run, trust: bool) -> Target:
    """Return what the user names. Raises what `draw_graph` raises."""
    run = target if isinstance(target, Run) else Run(Path(target), trust=trust)
    if run.record_file.is_file():
        if run.record().settings.network == FIRST_GRAPH:
            return Target(None, first_graph.CLASSES, run.figures)
        return Target(run.network(), len(run.model_info().classes), run.figures)
    target = str(run.folder)
    names = [FIRST_GRAPH, *(entry.name for entry in catalog.networks())]
    if target not in names and not target.endswith(".py"):
        raise UsageError(f"no network or run {target!r}; networks: {', '.join(names)}")
    network = None if target == FIRST_GRAPH else catalog.network(target)
    name = network.name if network else FIRST_GRAPH
    classes = network.classes if network else first_graph.CLASSES
    return Target(network, classes, Path("runs") / f"graph-{name}")


def parameter_count(boxes: list[Box]) -> str:
    """Return the subtitle: how many parameters the boxes train."""
    return f"{sum(box.parameters for box in boxes):,} trainable parameters"
