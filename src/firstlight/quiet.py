"""TensorFlow imported without its start-up noise."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from firstlight.errors import FirstlightError


@contextmanager
def tensorflow(verbose: bool) -> Iterator[None]:
    """Discard what TensorFlow prints while it is imported inside this context.

    Raises:
        FirstlightError: TensorFlow, or another package of the extra `train`, is not installed.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if verbose:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # TensorFlow's C++ code writes there directly
        try:
            yield
        except ModuleNotFoundError as error:
            raise FirstlightError(
                f"{error.name} is not installed; this verb needs: pip install 'firstlight[train]'"
            ) from None
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
