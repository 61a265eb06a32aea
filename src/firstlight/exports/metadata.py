"""What an exported file says of itself."""

import json
from typing import Any

import keras

from firstlight.runs import card
from firstlight.runs.run import Run


def about(run: Run, network: keras.Model, classes: tuple[str, ...], data: str) -> dict[str, Any]:
    """What the file says of itself: all that a program needs to use it, and where it is from."""
    settings = run.settings()
    result = settings.get("result", {})
    return {
        "network": network.name,
        "classes": classes,
        "input": network.input_shape[1:],
        "image_kind": run.trained()["learned"],
        "data": data,
        "preprocessing": card.preprocessing(run, network.input_shape[1:], data),
        "trained": {
            "seed": settings["seed"],
            "steps": result.get("steps"),
            "test_accuracy": result.get("test_accuracy"),
            "firstlight": settings["versions"]["firstlight"],
        },
    }


def as_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False)
