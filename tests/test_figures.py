"""The figures of a run: objects that a notebook shows, whatever the data."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from drawn import PNG, check_texts, images_of, joined, page_size, size
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from PIL import Image

from firstlight.datasets import ArrayImages, FolderImages, array_examples
from firstlight.errors import DataError, UsageError
from firstlight.figures.comparison import COLORS, MAX_RUNS, compare_curves, differences
from firstlight.figures.evaluation import Answers, answers, class_weights, confusion_matrix
from firstlight.figures.style import STYLE, new_panels, save_figure, styled
from firstlight.figures.training import (
    augmentations,
    draw_training,
    learning_curves,
    running_mean,
    samples,
)
from firstlight.recipe import Recipe
from firstlight.runs.documents import LoggedStep, RunRecord, TrainingStatus
from firstlight.runs.run import Run
from firstlight.settings import Settings


def line(
    step: int,
    split: str = "train",
    accuracy: float | None = 0.5,
    loss: float | None = None,
) -> LoggedStep:
    return LoggedStep(
        step=step,
        epoch=step / 100,
        split=split,
        loss=2.0 / step if loss is None else loss,
        accuracy=accuracy,
        lr=0.1,
        seconds=1.0,
    )


def record() -> RunRecord:
    recipe = Recipe(steps=100, batch_size=10, learning_rate=0.1)
    settings = Settings(network="net", data="mnist", recipe=recipe, seed=0, sha256={}, command="")
    return RunRecord(settings=settings, total_steps=100, versions={}, machine="")


def random_answers(count: int, channels: int = 1, classes: Sequence[str] = "abc") -> Answers:
    images = np.zeros((count, 9, 9, channels), np.uint8)
    probabilities = np.random.default_rng(0).random((count, len(classes)))
    labels = np.arange(count) % len(classes)
    return Answers(array_examples(images, labels), classes, probabilities)


FIGURES: dict[str, Callable[[], Figure]] = {
    "learning_curves": lambda: learning_curves([line(n) for n in range(1, 99)], record(), "mnist"),
    "samples": lambda: samples(random_answers(9).examples, "abc", "title"),
    "augmentations": lambda: augmentations(random_answers(2).examples.images, {"rotate": 9}),
    "confusion_matrix": lambda: confusion_matrix(np.eye(3, dtype=int), "abc", "title"),
    "answers": lambda: answers(random_answers(9), np.arange(9), "title"),
    "class_weights": lambda: class_weights(np.ones((3, 9, 9)), "abc"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_shows_what_is_saved_and_the_users_settings_change_nothing(
    name: str, tmp_path: Path
) -> None:
    save_figure(FIGURES[name](), tmp_path / "figure.png")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    plain = (tmp_path / "figure.png").read_bytes()
    assert plain[:8] == PNG
    own = {"font.size": 20, "text.color": "red", "axes.grid": True, "savefig.dpi": 30}
    drawn_before = FIGURES[name]()
    with matplotlib.rc_context(own):
        assert drawn_before._repr_png_() == plain  # type: ignore[attr-defined]
        assert FIGURES[name]()._repr_png_() == plain  # type: ignore[attr-defined]
        for figure in (drawn_before, FIGURES[name]()):
            figure.savefig(tmp_path / "own.png")
            assert (tmp_path / "own.png").read_bytes() == plain
            figure.savefig(into := BytesIO(), format="png")
            assert into.getvalue() == plain
        assert {key: matplotlib.rcParams[key] for key in own} == own


@pytest.mark.parametrize("ending", ["svg", "pdf", "jpg"])
def test_a_figure_saves_itself_in_other_formats(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{ending}"
    FIGURES["learning_curves"]().savefig(path)
    start = {"svg": b"<?xml", "pdf": b"%PDF", "jpg": b"\xff\xd8"}[ending]
    assert path.read_bytes().startswith(start)


def test_a_figure_says_how_large_it_is() -> None:
    figure = FIGURES["learning_curves"]()
    width, height = size(figure)
    assert repr(figure) == f"<figure {width}×{height}>"


def test_threads_draw_in_our_style_and_leave_the_users_settings() -> None:
    """The first thread ends while the second is inside: each must find and leave its own."""
    drawn: list[tuple[Figure, bool]] = []

    @styled
    def draw(seconds: float) -> None:
        time.sleep(seconds)
        is_ours = all(matplotlib.rcParams[key] == value for key, value in STYLE.items())
        drawn.append((new_panels(1, 1, (2, 1))[0], is_ours))

    before = matplotlib.rcParams.copy()
    threads = [threading.Thread(target=draw, args=(seconds,)) for seconds in (0.1, 0.2, 0.15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert matplotlib.rcParams.copy() == before
    assert [is_ours for _, is_ours in drawn] == [True] * 3
    for figure, _ in drawn:
        assert not figure.axes[0].spines["top"].get_visible()


NAMES: dict[str, Callable[[int], str]] = {
    "short": str,
    "long": lambda number: f"a class with forty characters, number {number:03}",
    "non-Latin": lambda number: (
        f"{('длинное имя класса', 'القطة', '猫と犬の写真')[number % 3]} {number}"
    ),
}


def named(kind: str, count: int) -> list[str]:
    return [NAMES[kind](number) for number in range(count)]


def confused(classes: int, mistakes: int) -> np.ndarray:
    """Return counts: 50 right answers for each class, and the mistakes at random places."""
    counts = 50 * np.eye(classes, dtype=int)
    np.add.at(counts, tuple(np.random.default_rng(0).integers(0, classes, (2, mistakes))), 1)
    return counts


LONG_TITLE = "convnet-record on photographs of animals in winter (validation), 81.25% right"


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 20, 100, 1000])
def test_a_confusion_matrix_is_complete_and_readable(classes: int, names: str) -> None:
    counts = confused(classes, mistakes=5 * classes)
    figure = confusion_matrix(counts, named(names, classes), LONG_TITLE)
    texts = joined(check_texts(figure))
    assert LONG_TITLE in texts and "predicted" in texts and "label" in texts
    assert max(page_size(figure)) < 1600 and min(page_size(figure)) > 300
    if classes > 1:
        assert "1 mistake " in texts and " mistakes" in texts  # the colour bar's ends


def test_counts_of_any_size_have_room_in_a_confusion_matrix() -> None:
    texts = check_texts(confusion_matrix(np.full((20, 20), 123_456), named("short", 20), "title"))
    assert sum(text == "123456" for text, _ in texts) == 400


def test_a_class_without_images_has_no_share_of_right_answers() -> None:
    texts = joined(check_texts(confusion_matrix(np.array([[3, 1], [0, 0]]), "ab", "title")))
    assert "75.0%" in texts and "–" in texts and "0.0%" not in texts


def test_the_scale_has_two_ends_even_if_no_count_is_above_one() -> None:
    texts = [text for text, _ in check_texts(confusion_matrix(confused(3, 0), "abc", "title"))]
    assert not any("mistake" in text for text in texts[2:])  # beyond the title and its line
    counts = confused(3, 0)
    counts[0, 1] = 1
    texts = [text for text, _ in check_texts(confusion_matrix(counts, "abc", "title"))]
    assert {"1 mistake", "2 mistakes"} <= {*texts}


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_a_single_mistake_is_visible_even_if_the_figure_is_shrunk(classes: int) -> None:
    counts = 50 * np.eye(classes, dtype=int)
    counts[0, classes - 1] = 9
    without = shrunk(confusion_matrix(counts, named("short", classes), "title"))
    counts[classes - 1, 0] = 1
    with_one = shrunk(confusion_matrix(counts, named("short", classes), "title"))
    assert np.abs(with_one - without).max() > 20


def shrunk(figure: Figure) -> np.ndarray:
    """Return a figure's pixels (height, width, 3) at half of its size, 0 to 255."""
    with Image.open(BytesIO(figure._repr_png_())) as png:  # type: ignore[attr-defined]
        return np.asarray(png.convert("RGB").reduce(2)).astype(int)


CURVES: dict[str, tuple[list[LoggedStep], int | None]] = {
    "no step": ([], None),
    "one step": ([line(1)], None),
    "one step and validation": ([line(1, loss=2.3), line(1, "val", loss=2.2)], 1),
    "one epoch": ([line(n) for n in range(1, 101)] + [line(100, "val", 0.9)], 100),
    "no accuracy": ([line(n, accuracy=None) for n in range(1, 1001)], None),
    "accuracy on validation alone": (
        [line(n, accuracy=None) for n in range(1, 201)]
        + [line(n, "val", n / 300, loss=2.0) for n in (0, 100, 200)],
        200,
    ),
    "with validation": (
        [line(n) for n in range(1, 100)] + [line(50, "val", 0.9), line(99, "val", 1.0)],
        99,
    ),
    "cost 12": ([line(n, loss=12 + n % 3, accuracy=0.0) for n in range(1, 99)], None),
    "error 100 %": (
        [line(n, accuracy=0.0, loss=6.9) for n in range(1, 99)] + [line(98, "val", 0.0)],
        98,
    ),
    "high error": ([line(n * 200, accuracy=n / 9000, loss=6.9) for n in range(1, 999)], None),
    "error 0 %": ([line(n, accuracy=1.0) for n in range(1, 99)] + [line(98, "val", 1.0)], 98),
    "down to 0 %": (
        [line(n, accuracy=min(1, n / 60)) for n in range(1, 201)]
        + [line(n, "val", min(1, n / 90)) for n in range(10, 201, 10)],
        90,
    ),
    "diverging": ([line(n, loss=0.01 if n < 90 else 900.0) for n in range(1, 99)], None),
}


@pytest.mark.parametrize("case", CURVES)
def test_learning_curves_stay_in_their_panels_and_nothing_covers_them(case: str) -> None:
    metrics, kept_step = CURVES[case]
    status = TrainingStatus(best_step=kept_step) if kept_step else None
    figure = learning_curves(metrics, replace(record(), status=status), "mnist")
    assert ("kept weights" in joined(check_texts(figure))) == (kept_step is not None)
    (legend,) = figure.legends
    for panel in figure.axes:
        assert legend.get_window_extent().y0 >= panel.get_window_extent().y1
        low, high = panel.get_ylim()
        for curve in panel.lines:
            values = np.asarray(curve.get_ydata(), float)
            assert (values <= high).all()
            if curve.get_linestyle() != "None":  # the dots of single steps may lie below
                assert (values >= low).all()


@pytest.mark.parametrize(
    ("case", "panels"), [("no accuracy", 1), ("accuracy on validation alone", 2), ("one step", 2)]
)
def test_the_error_is_drawn_if_any_step_has_an_accuracy(case: str, panels: int) -> None:
    metrics, _ = CURVES[case]
    assert len(learning_curves(metrics, record(), "mnist").axes) == panels


@pytest.mark.parametrize(
    ("class_weights", "label"),
    [(None, "error (% of images wrong)"), ("balanced", "error (%; validation: mean of classes)")],
)
def test_the_error_says_what_validation_points_are(class_weights: str | None, label: str) -> None:
    settings = replace(record().settings, class_weights=class_weights)
    figure = learning_curves([line(1)], replace(record(), settings=settings), "mnist")
    assert label in joined(check_texts(figure))


def test_one_high_cost_at_the_beginning_does_not_press_the_curve_flat() -> None:
    metrics = [line(n, loss=20.0 if n == 1 else 0.3) for n in range(1, 999)]
    assert learning_curves(metrics, record(), "mnist").axes[0].get_yscale() == "log"


@pytest.mark.parametrize("case", ["error 0 %", "down to 0 %"])
def test_an_error_of_0_percent_has_a_place_on_the_scale(case: str) -> None:
    figure = learning_curves(CURVES[case][0], record(), "mnist")
    low, _ = figure.axes[1].get_ylim()
    assert low < 0
    assert "0" in [label.get_text() for label in figure.axes[1].get_yticklabels()]


@pytest.mark.parametrize("data", ["a <title> $x$", 4 * "a-folder-with-a-long-name-"])
def test_a_long_name_of_the_data_goes_on_in_the_next_line(data: str) -> None:
    texts = joined(check_texts(learning_curves([line(1)], record(), data)))
    assert data in texts.replace("- ", "-")


def saved_run(folder: Path, metrics: Sequence[LoggedStep], **changed: Any) -> Run:
    """Return a run with these logged steps; `changed` are its settings and its recipe's fields."""
    settings, recipe = record().settings, record().settings.recipe
    of_recipe = {name: changed.pop(name) for name in {*changed} & {*recipe.to_json()}}
    settings = replace(settings, recipe=replace(recipe, **of_recipe), **changed)
    folder.mkdir()
    run = Run(folder)
    run.write_record(replace(record(), settings=settings))
    lines = [json.dumps(logged.to_json()) + "\n" for logged in metrics]
    run.metrics_file.write_text("".join(lines), "utf-8")
    return run


def curve(scale: float, accuracy: float | None = 0.5, last: int = 300) -> list[LoggedStep]:
    """Return training steps without accuracies, and validation every 50 steps."""
    train = [line(n, accuracy=None, loss=scale / n) for n in range(1, last + 1)]
    return train + [line(n, "val", accuracy, loss=scale) for n in range(50, last + 1, 50)]


@pytest.mark.parametrize("split", ["val", "train", "both"])
@pytest.mark.parametrize("count", [1, 2, 5, MAX_RUNS])
def test_several_runs_are_drawn_together(count: int, split: str, tmp_path: Path) -> None:
    runs = [
        saved_run(tmp_path / f"run-{n}", curve(10.0**n, last=100 * (1 + n % 3)), seed=n)
        for n in range(count)
    ]
    figure = compare_curves(runs, None, split)
    texts = joined(check_texts(figure))
    for n in range(count):
        assert (f"seed {n}" if count > 1 else "run-0") in texts
    assert len(figure.axes) == (1 if split == "train" else 2)  # no training step has an accuracy
    cost = figure.axes[0]
    assert len(cost.lines) == count * (2 if split == "both" else 1)
    assert [each.get_color() for each in cost.lines][-1] == COLORS[count - 1]
    low, high = cost.get_ylim()
    for each in cost.lines:
        assert low <= min(each.get_ydata()) and max(each.get_ydata()) <= high
    if split == "both":
        assert "training" in texts and "validation" in texts
        train, val, *_ = cost.lines
        assert train.get_linewidth() < val.get_linewidth()


def test_the_labels_that_are_given_are_shown_as_they_are(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", curve(1.0))
    labels = ["_a $x$ <b>", 9 * "a long name "]
    texts = joined(check_texts(compare_curves([run, run], labels, "val")))
    assert labels[0] in texts and "a long name" in texts


def test_a_cost_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    diverged = saved_run(tmp_path / "run", [*curve(1.0), line(301, "val", loss=float("nan"))])
    panel = compare_curves([diverged], None, "val").axes[0]
    assert [*panel.lines[0].get_xdata()] == [50, 100, 150, 200, 250, 300]


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ([{"learning_rate": 0.01}, {"learning_rate": 0.5}], ["lr 0.01", "lr 0.5"]),
        ([{"steps": 1000}, {"steps": 20000}], ["steps 1000", "steps 20000"]),
        ([{"steps": None, "epochs": 3}, {"steps": 9}], ["epochs 3", "steps 9"]),
        ([{"limit": None}, {"limit": 500}], ["no limit", "limit 500"]),
        ([{"seed": 0}, {"seed": 1}], ["seed 0", "seed 1"]),
        ([{"augment": {}}, {"augment": {"rotate": 10}}], ["no augment", "augment rotate 10"]),
        # Between networks, or recipes with a name, their recipes' numbers are not what matters.
        ([{"network": "mlp", "batch_size": 5}, {"network": "softmax"}], ["mlp", "softmax"]),
        (
            [{"recipe_name": "quick", "batch_size": 5}, {"recipe_name": "long"}],
            ["recipe quick", "recipe long"],
        ),
        (
            [
                {"network": "mlp", "learning_rate": 0.2},
                {"network": "mlp", "learning_rate": 0.3, "batch_size": 10},
                {"network": "softmax"},
            ],
            ["mlp, lr 0.2", "mlp, lr 0.3", "softmax, lr 0.1"],
        ),
        ([{}, {}], ["", ""]),
    ],
)
def test_a_run_is_called_by_what_differs(
    changes: list[dict[str, Any]], labels: list[str], tmp_path: Path
) -> None:
    runs = [saved_run(tmp_path / str(n), [], **changed) for n, changed in enumerate(changes)]
    assert differences([run.record().settings for run in runs]) == labels


def test_runs_that_do_not_differ_are_called_by_their_folders(tmp_path: Path) -> None:
    runs = [saved_run(tmp_path / name, curve(1.0)) for name in ("one", "two")]
    assert {"one", "two"} <= {*(text for text, _ in check_texts(compare_curves(runs, None, "val")))}
    runs.append(saved_run(tmp_path / "three", curve(1.0), seed=3))
    texts = {text for text, _ in check_texts(compare_curves(runs, None, "val"))}
    assert {"seed 0 (one)", "seed 0 (two)", "seed 3"} <= texts


@pytest.mark.parametrize(
    ("count", "labels", "split", "message"),
    [
        (0, None, "val", r"0 runs; a picture shows 1 to 12"),
        (13, None, "val", r"13 runs; a picture shows 1 to 12"),
        (2, ["a"], "val", r"1 labels for 2 runs; give one for each"),
        (2, "ab", "val", r"labels is 'ab'; it must be a list with a text for each run"),
        (2, [1, 2], "val", r"labels is \[1, 2\]; it must be a list"),
        (1, None, "test", r"split is 'test'; it must be one of: 'val', 'train', 'both'"),
    ],
)
def test_what_cannot_be_drawn_together_is_refused(
    count: int, labels: Any, split: str, message: str, tmp_path: Path
) -> None:
    run = saved_run(tmp_path / "run", curve(1.0))
    with pytest.raises(UsageError, match=message) as error:
        compare_curves(count * [run], labels, split)
    assert "\n" not in str(error.value)


def test_a_run_that_has_logged_nothing_on_the_split_is_named(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "short", [line(1)])
    with pytest.raises(DataError, match=r'short has logged nothing on val; .* split="train"$'):
        compare_curves([run], None, "val")
    empty = saved_run(tmp_path / "empty", [])
    with pytest.raises(DataError, match=r"empty has logged nothing on train$"):
        compare_curves([empty], None, "both")


def test_running_mean_keeps_length_and_level() -> None:
    assert running_mean(np.full(100, 3.0)).tolist() == [3.0] * 100
    assert running_mean(np.array([5.0])).tolist() == [5.0]
    falling = running_mean(np.array([1 / 3] * 100 + [0.0] * 100))
    assert falling[-1] == 0  # and not nearly 0, which a logarithmic scale would show as 1e-16


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    ("count", "classes", "channels"), [(6, 2, 1), (24, 3, 3), (24, 10, 1), (6, 1000, 3)]
)
def test_answers_fit_beside_each_other(count: int, classes: int, channels: int, names: str) -> None:
    answered = random_answers(count, channels, named(names, classes))
    drawn = check_texts(answers(answered, np.arange(count), LONG_TITLE))
    assert sum("✓" in text or "✗" in text for text, _ in drawn) == count


@pytest.mark.parametrize("count", [1, 3, 6, 7, 24, 25, 40, 300])
def test_the_page_of_answers_is_as_large_as_they_need(count: int) -> None:
    figure = answers(random_answers(count), np.arange(count), "title")
    places = [image.get_window_extent() for image in figure.findobj(BboxImage)]
    width, height = size(figure)
    right = max(box.x1 for box in places)
    assert right + 32 == pytest.approx(width, abs=2) or width <= 530  # as wide as a title
    assert min(box.y0 for box in places) < 40 and len(places) == count
    rows = len({round(box.y0) for box in places})
    columns = len({round(box.x0) for box in places})
    assert rows * columns - count < columns and (rows == 1 or rows * columns - count < rows + 1)
    assert width < 3 * height + 500


def test_no_mistakes_are_a_small_page_that_says_so() -> None:
    figure = answers(random_answers(9), np.arange(0), "title")
    assert "no mistakes" in joined(check_texts(figure))
    assert page_size(figure)[1] < 120


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    ("count", "classes"), [(6, 2), (24, 3), (6, 10), (1000, 10), (24, 100), (1000, 1000)]
)
def test_samples_fill_their_page(count: int, classes: int, names: str) -> None:
    examples = random_answers(count, classes=named(names, classes)).examples
    figure = samples(examples, named(names, classes), "data, training images")
    texts = joined(check_texts(figure))
    places = [image.get_window_extent() for image in figure.findobj(BboxImage)]
    of_each = [min(12, np.sum(examples.labels == label)) for label in range(classes)]
    assert len(places) == sum([number for number in of_each if number][:20])
    right = max(box.x1 for box in places)
    width, _ = page_size(figure)
    assert right + 32 == pytest.approx(width, abs=2) or width <= 530
    if classes > 20:
        assert f"{min(20, count)} of {classes:,} classes" in texts


def test_a_class_without_samples_says_so() -> None:
    examples = array_examples(np.zeros((5, 9, 9, 1), np.uint8), np.array([0, 0, 0, 2, 2]))
    texts = [text for text, _ in check_texts(samples(examples, ["a", "b", "c"], "title"))]
    assert texts.count("no images") == 1 and {"a", "b", "c"} <= {*texts}


def test_augmentations_are_drawn_alone_and_then_all_together_several_times() -> None:
    images = ArrayImages(np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8))
    figure = augmentations(images, {"rotate": 90, "noise": 50, "shift": 0})
    texts = [text for text, _ in check_texts(figure)]
    assert texts[1:] == ["unchanged", "rotate 90", "noise 50", "all together", "again", "and again"]
    rows = np.array(images_of(figure)).reshape(6, 3, 28, 28, 3)
    assert np.allclose(rows[0], 1 - images[:] / 255)
    for one, other in combinations(rows, 2):
        assert not np.allclose(one, other)


def test_a_single_augmentation_is_not_drawn_twice() -> None:
    images = ArrayImages(np.zeros((3, 28, 28, 1), np.uint8))
    texts = [text for text, _ in check_texts(augmentations(images, {"rotate": 90}))]
    assert texts[1:] == ["unchanged", "rotate 90", "again", "and again"]


def test_crops_are_drawn_of_pictures_alone(tmp_path: Path) -> None:
    strengths = {"zoom": 0.8, "mirror": 1}
    with pytest.raises(UsageError, match="no augmentation changes these images"):
        augmentations(ArrayImages(np.zeros((3, 28, 28, 1), np.uint8)), strengths)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (60, 90, 3), np.uint8)).save(tmp_path / "a.png")
    figure = augmentations(FolderImages(tmp_path, ["a.png"], (48, 48, 3)), strengths)
    unchanged, zoomed, mirrored, *together = images_of(figure)
    assert np.allclose(mirrored, unchanged[:, ::-1]) and not np.allclose(zoomed, unchanged)
    assert len(together) == 3 and not np.allclose(together[0], together[1])


@pytest.mark.parametrize(
    ("augment", "is_drawn"),
    [({}, False), ({"rotate": 0}, False), ({"mirror": 0.5}, False), ({"rotate": 5}, True)],
    ids=str,
)
def test_a_training_without_augmentation_has_no_figure_of_it(
    augment: dict[str, float], is_drawn: bool, tmp_path: Path
) -> None:
    run, made = Run(tmp_path), record()
    recipe = replace(made.settings.recipe, augment=augment)
    run.write_record(replace(made, settings=replace(made.settings, recipe=recipe)))
    logged = [json.dumps(line(step).to_json()) + "\n" for step in (1, 2)]
    run.metrics_file.write_text("".join(logged), "utf-8")
    draw_training(run, random_answers(6).examples, "mnist", "abc")
    names = {"learning_curves.png", "samples.png"} | ({"augmentation.png"} if is_drawn else set())
    assert {path.name for path in run.figures.iterdir()} == names


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_weights_of_each_class_have_its_name(classes: int, names: str) -> None:
    weights = np.random.default_rng(0).normal(size=(classes, 28, 28))
    figure = class_weights(weights, named(names, classes))
    assert len(check_texts(figure)) == classes + 2
    assert len(images_of(figure)) == classes
