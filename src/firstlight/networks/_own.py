"""A user's own network: a .py file, a function, or a Keras model.

    ./my_net.py     in the form of the files here: INPUT and build(classes); RECIPES are optional
    a function      classes → Keras model
    a Keras model   training begins with its weights

A run keeps what its network was made of: the text of the file, or the model's configuration in
Keras's JSON. To build the network again, the file is run, or the configuration is read by Keras,
which imports what it names. So a run of unknown origin is opened only if the user trusts it.
"""

import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from firstlight.errors import DataError, UsageError
from firstlight.images.crops import Size
from firstlight.networks._network import Network, Source, SourceRecord, sha256
from firstlight.networks._weight_names import all_layers
from firstlight.recipe import Recipe

CHANNELS = (1, 3)
PYTHON_FILE, JSON_FILE = "network.py", "network.json"  # in the run folder
OWN_LAYERS = "put the network into a .py file with INPUT and build(classes), and give its path"

# A moderate rate, and clipped gradients: most small networks learn, with and without batch norm.
DEFAULT_RECIPES = {
    "default": Recipe(
        epochs=10,
        batch_size=64,
        learning_rate=0.05,
        momentum=0.9,
        clip_norm=1.0,
        schedule="one-cycle",
    )
}


def own_network(network: Any, classes: int) -> Network:
    """Return the network of a .py file, a function, or a Keras model.

    Raises:
        DataError: the file cannot be read.
        UsageError: it is none of these, or not a network.
    """
    if isinstance(network, str | Path):
        return from_file(Path(network))
    if isinstance(network, keras.Model):
        return from_model(network)
    if callable(network):
        return from_function(network, classes)
    raise UsageError(
        f"a network is a name, the path of a .py file, a function or a keras.Model, not {network!r}"
    )


def from_file(path: Path) -> Network:
    """Return the network of a .py file. Runs the file.

    Raises:
        DataError: the file cannot be read.
        UsageError: the file lacks INPUT or build, or raises an exception.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{path}: cannot be read ({reason})") from None
    source = Source(PYTHON_FILE, text, str(path.resolve()))
    return from_module(run_text(text, path), path.stem.replace("_", "-"), source)


def run_text(text: str, path: Path) -> ModuleType:
    """Run the text of a Python file as a module. Raises UsageError if it raises an exception.

    An import would write a __pycache__ beside the file.
    """
    module = ModuleType(f"own_network_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # a dataclass in the file looks for its module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # the user's code raises anything
        raise UsageError(f"{path} raised {described(error, path)}") from error
    return module


def from_module(module: Any, name: str, source: Source) -> Network:
    """Return the network of a module in the form of the files here."""
    where = source.path or source.file
    if not callable(getattr(module, "build", None)):
        raise UsageError(f"{where} has no function build(classes) that returns a Keras model")
    size: Any = getattr(module, "INPUT", None)
    if not is_size(size):
        raise UsageError(
            f"{where}: INPUT is {size!r}; it must be (height, width, 1), or (height, width, 3)"
        )
    recipes = getattr(module, "RECIPES", None) or DEFAULT_RECIPES
    if not isinstance(recipes, dict) or not all(isinstance(r, Recipe) for r in recipes.values()):
        raise UsageError(f"{where}: RECIPES must be a dictionary of firstlight.Recipe by name")
    return Network(
        name=name,
        input=size,
        recipes=recipes,
        build=checked_build(module.build, where, size),
        parameters=getattr(module, "PARAMETERS", None),
        classes=getattr(module, "CLASSES", 10),
        source=source,
    )


def from_function(build: Callable[[int], Any], classes: int) -> Network:
    """Return the network of a function, classes → Keras model; it is built once here.

    Raises:
        UsageError: the function raises an exception, its model does not fit, or the model has
            layers that a run cannot keep.
    """
    called = getattr(build, "__name__", type(build).__name__)
    built = checked_build(build, called)
    model = built(classes)
    source = Source(JSON_FILE, configuration(model), None)
    return Network(
        name=called.strip("<>").replace("_", "-"),
        input=model.input_shape[1:],
        recipes=DEFAULT_RECIPES,
        build=built,
        source=source,
    )


def from_model(model: keras.Model) -> Network:
    """Return the network of a Keras model: each one that is built has its layers and weights.

    Raises:
        UsageError: the model does not fit, or has layers that a run cannot keep.
    """

    def copy(classes: int) -> keras.Model:
        check_model(model, classes, model.name)
        twin = keras.models.clone_model(model)
        twin.set_weights(model.get_weights())
        return as_functional(twin)

    check_model(model, None, model.name)
    return Network(
        name=re.sub(r"_\d+$", "", model.name).replace("_", "-"),
        input=model.input_shape[1:],
        recipes=DEFAULT_RECIPES,
        build=copy,
        source=Source(JSON_FILE, configuration(model), None),
        has_weights=True,
    )


def from_run(folder: Path, record: SourceRecord, name: str, trust: bool) -> Network:
    """Return the own network that a run was trained with.

    The file that was trained is run again if it lies where it was and has not changed. Otherwise
    the copy in the run folder is used, if the user trusts it.

    Raises:
        UsageError: the file is not there or has changed, and the user has not said `trust`.
        DataError: the copy is missing, or is not what was trained.
    """
    if record.path and is_unchanged(Path(record.path), record, folder):
        return from_file(Path(record.path))
    if not trust:
        where = f"{record.path}, which is not there or has changed" if record.path else "Python"
        raise UsageError(
            f"the network of {folder} came from {where}; opening the run runs the copy in "
            f"{folder / record.file}: if you trust it, add --trust (from Python: trust=True)"
        )
    if record.file not in (PYTHON_FILE, JSON_FILE):  # a foreign run.json can name any file
        raise DataError(f"{folder}: run.json names {record.file!r} as the network's source")
    kept = folder / record.file
    text = kept.read_text("utf-8", "replace") if kept.is_file() else ""
    if sha256(text) != record.sha256:
        raise DataError(f"{kept} is missing, or is not the source that the run was trained with")
    if record.file == PYTHON_FILE:
        return from_module(run_text(text, kept), name, Source(PYTHON_FILE, text, record.path))
    return from_configuration(text, kept, name)


def is_unchanged(path: Path, record: SourceRecord, folder: Path) -> bool:
    """Return whether the file that was trained lies where it was, with the same content.

    A file inside the run folder, or one that a relative path names, may have come with the run. So
    it proves nothing.
    """
    if not path.is_absolute() or folder.resolve() in path.resolve().parents or not path.is_file():
        return False
    return sha256(path.read_text("utf-8", "replace")) == record.sha256


def from_configuration(text: str, path: Path, name: str) -> Network:
    """Return the network of a model's configuration in Keras's JSON, which the path names."""

    def build(classes: int) -> keras.Model:
        return keras.models.model_from_json(text)

    try:
        model = build(0)
    except Exception as error:  # Keras raises anything
        raise DataError(f"{path}: Keras cannot build it ({described(error, path)})") from error
    return Network(
        name=name,
        input=model.input_shape[1:],
        recipes=DEFAULT_RECIPES,
        build=checked_build(build, str(path)),
        source=Source(JSON_FILE, text, None),
    )


def configuration(model: keras.Model) -> str:
    """Return the model's configuration in Keras's JSON.

    Raises:
        UsageError: a layer is not Keras's own: its code would not be in the configuration.
    """
    for layer in all_layers(model):
        kind = type(layer)
        if kind.__module__.partition(".")[0] != "keras" or kind is keras.layers.Lambda:
            raise UsageError(
                f"the layer {layer.name} is a {kind.__name__}, whose code a run cannot keep; "
                f"{OWN_LAYERS}"
            )
    return json.dumps(json.loads(model.to_json()), indent=1)


def is_size(size: Any) -> bool:
    """Return whether this is a height, a width and 1 or 3 channels."""
    return (
        isinstance(size, tuple)
        and len(size) == 3
        and all(type(number) is int and number > 0 for number in size)
        and size[2] in CHANNELS
    )


def checked_build(
    build: Callable[[int], Any], where: str, size: Size | None = None
) -> Callable[[int], keras.Model]:
    """Return a function that builds a user's model, and refuses one that cannot be trained.

    Args:
        size: what the model must take; None for any size.
    """

    def checked(classes: int) -> keras.Model:
        call = f"{where}: build({classes})"
        try:
            model = build(classes)
        except (Exception, SystemExit) as error:  # the user's code raises anything
            raise UsageError(f"{call} raised {described(error, Path(where))}") from error
        check_model(model, classes, call)
        if size not in (None, model.input_shape[1:]):
            raise UsageError(f"{call} takes {model.input_shape[1:]}, but INPUT is {size}")
        return as_functional(model)

    return checked


def as_functional(model: keras.Model) -> keras.Model:
    """Return the model with its input as its first layer: a Sequential model hides that one."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def check_model(model: Any, classes: int | None, where: str) -> None:
    """Check that a model takes images and returns a logit for each class.

    Args:
        classes: None for any number.

    Raises:
        UsageError: it does not.
    """
    if not isinstance(model, keras.Model) or not model.built or not hasattr(model, "input_shape"):
        raise UsageError(
            f"{where} is {type(model).__name__}; it must be a keras.Model with a keras.Input"
        )
    size, output = model.input_shape, model.output_shape
    if not isinstance(size, tuple) or not is_size(size[1:]):
        raise UsageError(f"{where} takes {size}; it must take (None, height, width, 1 or 3)")
    returned = model.compute_output_spec(keras.KerasTensor(size, "float32"))
    is_one_tensor = isinstance(returned, keras.KerasTensor)
    if not is_one_tensor or len(output) != 2 or classes not in (None, output[1]):
        expected = "classes" if classes is None else classes
        raise UsageError(f"{where} returns {output}; it must return logits (None, {expected})")
    if not model.trainable_weights:
        raise UsageError(f"{where} has no weights that can be trained")
    if ending := last_activation(model):
        raise UsageError(f"{where} ends with {ending}; leave it out: training adds the softmax")


def last_activation(model: keras.Model) -> str:
    """Return softmax or sigmoid if the model ends with it; "" otherwise."""
    last = getattr(model, "operations", model.layers)[-1]  # a layer, or one of keras.ops
    activation = getattr(last, "activation", None)
    name = getattr(activation, "__name__", type(last).__name__).lower()
    return name if name in ("softmax", "sigmoid") else ""


def described(error: BaseException, path: Path) -> str:
    """Return an exception of the user's code in a line: its type, text, and line in the file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    place = f", line {lines[-1]}" if lines else ""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}{place}"
