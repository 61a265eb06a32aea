"""A recipe checks itself when it is made, and it goes through JSON unchanged."""

import json
from typing import Any

import pytest

from firstlight import catalog
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe

VALID = {"epochs": 1, "batch_size": 10, "learning_rate": 0.1}
NOT_WHOLE = [0, -1, 2.5, "3", True, float("nan")]
NOT_POSITIVE = [0, -0.1, float("nan"), float("inf"), "0.1", None, True]
NOT_BELOW_1 = [-0.1, 1, 7, float("nan"), "0.5", None, True]
NEGATIVE = [-0.1, float("nan"), float("inf"), "1", None]
REFUSED: dict[str, list[Any]] = {
    "batch_size": NOT_WHOLE,
    "steps_per_call": NOT_WHOLE,
    "epochs": NOT_WHOLE,
    "learning_rate": NOT_POSITIVE,
    "momentum": NOT_BELOW_1,
    "label_smoothing": NOT_BELOW_1,
    "ema_decay": NOT_BELOW_1,
    "lr_drop_factor": NOT_BELOW_1,
    "weight_decay": NEGATIVE,
    "l2": NEGATIVE,
    "clip_norm": NEGATIVE,
    "max_filter_rms": NEGATIVE,
    "init_stddev": NEGATIVE,
    "plateau_epochs": [-1, 0.5, "2", None],
    "no_augment_epochs": [-1, 0.5, "2", None],
    "no_augment_fraction": NOT_BELOW_1,
    "schedule": ["one_cycle", None],
    "keep": ["frst", ""],
    "precision": ["float16", 32],
    "nesterov": ["yes", None],
    "xla": ["no", None],
    "lr_drops": [
        (0.5, 0.5),
        (0.6, 0.3),
        (0.0, 0.5),
        (0.5, 1.0),
        (-0.1,),
        (float("nan"),),
        "0.5",
        1,
    ],
    "lr_multipliers": [3, None],
    "augment": [3, None, ["rotate"]],
}


def recipe(**changes: Any) -> Recipe:
    return Recipe(**(VALID | changes))


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_what_is_not_allowed_is_refused_in_one_line_that_names_it(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        recipe(**{name: value})
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(name) and f" is {value!r}; " in message


def test_a_message_names_the_flag_and_what_is_allowed() -> None:
    for changes, expected in (
        (
            {"learning_rate": -1},
            "learning_rate (--lr) is -1; it must be a number above 0 and at most 100",
        ),
        (
            {"batch_size": 0},
            "batch_size (--batch-size) is 0; it must be a whole number from 1 to 100,000",
        ),
        ({"momentum": 7}, "momentum is 7; it must be a number, at least 0 and below 1"),
        ({"keep": "frst"}, "keep is 'frst'; it must be one of: 'best', 'last'"),
    ):
        with pytest.raises(UsageError) as raised:
            recipe(**changes)
        assert str(raised.value) == expected


def test_exactly_one_of_epochs_and_steps_is_given() -> None:
    assert recipe(epochs=None, steps=3).steps == 3
    with pytest.raises(UsageError, match=r"^neither epochs nor steps is given; give one"):
        recipe(epochs=None)
    with pytest.raises(UsageError, match=r"^epochs is 1 and steps is 3; give one"):
        recipe(steps=3)
    for steps in (0, -1, 2.5):
        with pytest.raises(
            UsageError, match=r"^steps \(--steps\) is .*; it must be a whole number"
        ):
            recipe(epochs=None, steps=steps)


def test_a_misspelt_augmentation_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^no augmentation 'mirorr'; augmentations: mirror, any"):
        recipe(augment={"mirorr": 1})
    with pytest.raises(UsageError, match=r"'rotate' has the strength 400; .* 180 \(degrees\)"):
        recipe(augment={"rotate": 400})


def test_a_multiplier_of_the_learning_rate_is_not_negative() -> None:
    assert recipe(lr_multipliers={"bias": 0}).lr_multipliers == {"bias": 0}
    with pytest.raises(UsageError, match=r"^lr_multipliers\['bias'\] is -2; "):
        recipe(lr_multipliers={"bias": -2})


@pytest.mark.parametrize("name", [entry.name for entry in catalog.networks()])
def test_every_recipe_of_a_network_goes_through_json_unchanged(name: str) -> None:
    for original in catalog.network(name).recipes.values():
        assert Recipe.from_json(json.loads(json.dumps(original.to_json()))) == original


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (VALID | {"settle": 2}, "^a recipe has no field 'settle'; it has: batch_size, "),
        ({"epochs": 1, "batch_size": 10}, "^the recipe has no learning_rate; "),
        ({"epochs": 1, "learning_rate": 0.1}, "^the recipe has no batch_size; "),
        (VALID | {"momentum": 7}, "^the recipe is not valid: momentum is 7; "),
        (VALID | {"augment": {"rotat": 7}}, "^the recipe is not valid: no augmentation 'rotat'; "),
        (3, "^a recipe is a JSON object of fields, not 3"),
        (None, "^a recipe is a JSON object of fields, not None"),
    ],
)
def test_a_foreign_recipe_that_is_no_recipe_is_bad_data(document: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Recipe.from_json(document)


def test_the_last_step_of_an_epoch_completes_it() -> None:
    assert recipe(epochs=3).epoch_ends(25) == [3, 5, 8]
    assert recipe(epochs=2, batch_size=128).epoch_ends(55_000) == [430, 860]
    assert recipe(epochs=1, batch_size=100).epoch_ends(7) == [1]


def test_steps_end_a_training_within_an_epoch() -> None:
    assert recipe(epochs=None, steps=4).epoch_ends(25) == [3, 4]
    assert recipe(epochs=None, steps=5).epoch_ends(25) == [3, 5]
    assert recipe(epochs=None, steps=1).epoch_ends(25) == [1]
