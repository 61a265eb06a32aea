"""The model card of a run: what somebody who is handed the model needs to know."""

from typing import Any

from firstlight.runs.files import write_text
from firstlight.runs.run import Run

DIGITS = ("mnist", "cutouts")  # data that is drawn as MNIST is
CARD = """# {network} on {data}

Answers which of {classes} an image shows. Trained by firstlight {version} with

    {command}

| | |
|---|---|
| images | {data}; {held_out} |
| training | {steps:,} steps, seed {seed}, {seconds:.0f} s on {machine} |
| validation accuracy | {validation} |
| test accuracy | {accuracy} |
| versions | {versions} |

The weights are in `model/weights.npz`, plain arrays by name. It knows nothing but its classes: any
image, be it no {kind} at all, gets one of them. {preprocessing}

SHA-256 of the data:

{hashes}
"""


def preprocessing(run: Run, size: tuple[int, ...], data: str) -> str:
    """What images (height, width, channels) the network is to be given."""
    like = f"they are to be like those of {data}"
    if data in DIGITS:
        like += ": one digit, light on black, its 20×20 box centred by its mass in 28×28"
    if run.listing():
        like = "each is the middle of a photograph, upright, 7/8 of its shortest side wide"
    shape = "×".join(map(str, size))
    return f"Images are {shape}, uint8, 0 to 255, and the network scales them itself; {like}."


def write(
    run: Run, classes: tuple[str, ...], size: tuple[int, ...], result: dict[str, Any]
) -> None:
    """Write MODEL_CARD.md of a run that has just been trained."""
    settings = run.settings()
    best = settings.get("result", {}).get("best_accuracy")
    accuracy = result["test_accuracy"]
    text = CARD.format(
        **{key: result[key] for key in ("network", "data", "steps", "seconds")},
        accuracy="not measured: there is no test split"
        if accuracy is None
        else f"{accuracy:.2%}, measured once, after training",
        held_out=split_of(run),
        classes=", ".join(classes) if len(classes) <= 20 else f"{len(classes)} classes",
        kind="digit" if result["data"] in DIGITS else "such image",
        preprocessing=preprocessing(run, size, result["data"]),
        version=settings["versions"]["firstlight"],
        command=settings["command"],
        seed=settings["seed"],
        machine=settings["machine"],
        validation="not measured" if best is None else f"{best:.2%}",
        versions=", ".join(f"{name} {number}" for name, number in settings["versions"].items()),
        hashes="\n".join(f"- `{value}` {name}" for name, value in settings["sha256"].items()),
    )
    write_text(run.card, text)


def split_of(run: Run) -> str:
    """How training and validation images were parted."""
    listing = run.listing()
    if listing is None:
        return "1 in 12 of the training images held out for validation"
    counts = ", ".join(f"{len(files):,} {split}" for split, files in listing["splits"].items())
    return f"{counts}; {listing['made'] or 'split as the folder has it'} (pictures.json)"
