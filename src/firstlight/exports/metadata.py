"""The metadata of an exported file: everything that a program needs to use it."""

import json
from dataclasses import asdict, dataclass

import keras

from firstlight.evaluation.calibration import Calibration
from firstlight.images.crops import Size
from firstlight.images.kinds import ImageKind
from firstlight.images.values import ValueRange
from firstlight.runs import card
from firstlight.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where an exported network comes from."""

    seed: int
    steps: int | None  # None if its training has no result
    finished: bool  # False: the weights of these steps are not those that the training will keep
    test_accuracy: float | None
    firstlight: str  # the version


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The JSON document in an exported file."""

    network: str
    classes: tuple[str, ...]
    input: Size
    image_kind: ImageKind
    values: ValueRange | None = None  # of the arrays that it has learned
    data: str
    preprocessing: str  # a sentence: which images to give it
    trained: Provenance
    calibration: Calibration

    @classmethod
    def of(cls, run: Run, network: keras.Model, data: str, calibration: Calibration) -> "Metadata":
        """Return the metadata of a run's network; `data` is the dataset's name."""
        record, info = run.record(), run.model_info()
        unfinished = run.unfinished()
        steps = record.result.steps if record.result else None
        size: Size = network.input_shape[1:]
        return cls(
            network=info.network,
            classes=info.classes,
            input=size,
            image_kind=info.image_kind,
            values=info.values,
            data=data,
            preprocessing=card.describe_preprocessing(info.image_kind, size, data),
            trained=Provenance(
                seed=record.settings.seed,
                steps=unfinished.step if unfinished else steps,
                finished=unfinished is None,
                test_accuracy=record.result.test_accuracy if record.result else None,
                firstlight=record.versions["firstlight"],
            ),
            calibration=calibration,
        )

    def json_text(self) -> str:
        """Return the metadata as the text of a JSON document."""
        document = {
            "network": self.network,
            "classes": list(self.classes),
            "input": list(self.input),
            "image_kind": self.image_kind,
            "values": self.values and self.values.to_json(),
            "data": self.data,
            "preprocessing": self.preprocessing,
            "trained": asdict(self.trained),
            **self.calibration.to_json(),
        }
        return json.dumps(document, ensure_ascii=False)
