"""The model card of a run: what a user of the model needs to know."""

import textwrap

from firstlight import catalog
from firstlight.images.crops import Size, shortest_side
from firstlight.images.kinds import ImageKind
from firstlight.runs.documents import ModelInfo, TrainingResult
from firstlight.runs.files import write_text
from firstlight.runs.run import Run

MAX_CLASSES_IN_CARD = 20
CARD = """# {network} on {data}

{purpose}

    {command}

| | |
|---|---|
| images | {data}; {splits} |
| training | {steps:,} steps, seed {seed}, {seconds:.0f} s on {machine} |
| {validation} | {validation_accuracy} |
| test accuracy | {test_accuracy} |
| versions | {versions} |

{advice}

SHA-256 of the data:

{hashes}
"""


def write(run: Run, size: Size, result: TrainingResult) -> None:
    """Write MODEL_CARD.md of a run that has just been trained, or whose training was stopped."""
    record, info, unfinished = run.record(), run.model_info(), run.unfinished()
    classes = f"{len(info.classes)} classes"
    if len(info.classes) <= MAX_CLASSES_IN_CARD:
        classes = ", ".join(info.classes)
    purpose = (
        f"This network predicts which of these classes an image shows: {classes}. "
        f"firstlight {record.versions['firstlight']} trained it with"
    )
    weights = unfinished.weights if unfinished else run.weights
    advice = (
        f"The weights are in `{weights.relative_to(run.folder)}`, as arrays by name. "
        f"{describe_rest(info)} "
        f"{describe_preprocessing(info.image_kind, size, result.data)}"
    )
    is_accuracy = record.settings.class_weights is None
    if unfinished:
        purpose = f"{unfinished.notice[0].upper()}{unfinished.notice[1:]}. {purpose}"
    text = CARD.format(
        network=result.network,
        data=result.data,
        purpose=textwrap.fill(purpose, 100),
        command=record.settings.command or "a call from Python",
        splits=describe_splits(run),
        steps=result.steps,
        seed=record.settings.seed,
        seconds=result.seconds,
        machine=record.machine,
        validation="validation accuracy" if is_accuracy else "mean recall on validation",
        validation_accuracy=describe_validation(run),
        test_accuracy=describe_test(run, result),
        versions=", ".join(f"{name} {number}" for name, number in record.versions.items()),
        advice=textwrap.fill(advice, 100),
        hashes=describe_hashes(record.settings.sha256),
    )
    write_text(run.card, text)


def describe_rest(info: ModelInfo) -> str:
    """Return what the network answers to an image of none of its classes."""
    if "none" in info.classes:
        return (
            "Every image gets one of these labels; `none` means that the image shows no digit, or "
            "more than one."
        )
    example = "a digit" if info.image_kind == "digits" else "one of them"
    return (
        f'The network has no "other" class: any image, even one that is not {example}, gets one '
        "of these labels."
    )


def describe_preprocessing(image_kind: ImageKind, size: Size, data: str) -> str:
    """Return which images (height, width, channels) the network must be given."""
    shape = "×".join(map(str, size))
    advice = f"Give it images like those of {data}. {describe_whole(size)}"
    if image_kind == "digits":
        advice = (
            "Give it one digit, light on black, as in MNIST: the digit is scaled to fit into 20×20 "
            f"pixels, and its centre of mass is in the middle of 28×28. {describe_whole(size)}"
        )
    if image_kind == "pictures":
        advice = (
            "Give it the middle of an upright photograph: a crop of 7/8 of the photograph's "
            f"shortest side. The steps, in Pillow's words: {describe_photograph(size)}"
        )
    return f"The network takes uint8 images {shape}, 0 to 255, and scales them itself. {advice}"


def describe_whole(size: Size) -> str:
    """Return how an image of another size or mode is converted."""
    height, width, channels = size
    return (
        f"An image of another size: resize(({width}, {height}), BILINEAR) of its largest middle "
        f'part of that shape, then convert("{mode_of(channels)}").'
    )


def describe_photograph(size: Size) -> str:
    """Return, step by step, how a photograph becomes an image: as images/crops.py does it."""
    height, width, channels = size
    shortest = shortest_side(size)
    steps = [
        f"draft(None, ({shortest}, {shortest})), which decodes a large JPEG at 1/2, 1/4 or 1/8 of "
        "its size",
        "ImageOps.exif_transpose",
        "white (black, if all that is opaque is lighter than 200) under transparent pixels",
        'convert("RGB")',
        f"scale = 7/8 · min(width / {width}, height / {height}) of this picture; the box in its "
        f"middle is {width} · scale wide and {height} · scale high, not rounded; its left and top "
        "are half of what is over, rounded to whole pixels (a half to the even one)",
        f"resize(({width}, {height}), BILINEAR, box), which also averages",
    ]
    if channels == 1:
        steps.append(
            'convert("L"): (19595 · red + 38470 · green + 7471 · blue + 32768) / 65536, rounded '
            "down"
        )
    return "; ".join(f"({number}) {step}" for number, step in enumerate(steps, 1)) + "."


def mode_of(channels: int) -> str:
    """Return Pillow's name for pictures with so many channels."""
    return "L" if channels == 1 else "RGB"


def describe_splits(run: Run) -> str:
    """Return how training and validation images were split."""
    listing = run.listing()
    if listing is None:
        data = run.record().settings.data
        if run.record().settings.in_memory:
            return run.dataset().made or "split as given from Python"
        if data != "mnist" and data in {entry.name for entry in catalog.datasets()}:
            remarks = catalog.named_dataset(data).remarks
            return "; ".join(("split as the dataset defines it", *remarks))
        return "one of twelve training images is held out for validation"
    counts = ", ".join(f"{len(files):,} {split}" for split, files in listing.splits.items())
    origin = listing.made or "the folder's own splits"
    return f"{counts}; {origin} (pictures.json)"


def describe_hashes(sha256: dict[str, str]) -> str:
    if not sha256:
        return "none: the data is generated"
    return "\n".join(f"- `{value}` {name}" for name, value in sha256.items())


def describe_validation(run: Run) -> str:
    record, unfinished = run.record(), run.unfinished()
    if unfinished:
        steps = [each for each in run.metrics() if each.split == "val"]
        measured = [each for each in steps if each.step <= unfinished.step]
        if measured and measured[-1].accuracy is not None:
            return f"{measured[-1].accuracy:.2%} after step {measured[-1].step:,}"
    if record.status is None:
        return "not measured"
    balanced = record.settings.class_weights is not None
    accuracy = f"{record.status.best_accuracy:.2%}"
    return f"{accuracy}, the mean of all classes' recalls" if balanced else accuracy


def describe_test(run: Run, result: TrainingResult) -> str:
    if run.unfinished():
        return "not measured: the training is not finished"
    if result.test_accuracy is None:
        return "not measured: the data has no test split"
    return f"{result.test_accuracy:.2%}, measured once, after training"
