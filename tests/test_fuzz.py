"""No file makes a parser of foreign files fail in another way than it says.

Each parser gets any bytes, damaged files and documents, and what a fuzzer has found: `tests/corpus`
(see benchmarks/fuzz.py). A parser returns, or raises a FirstlightError.
"""

import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import mutations
import parsers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight import file_types
from firstlight.errors import DataError, FirstlightError, UsageError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
MAX_SECONDS = 2.0  # of a processor, for one small file; most take some milliseconds
MAX_MEMORY = 256 << 20  # bytes that Python and NumPy hold for it
quickly = settings(max_examples=25, deadline=None, database=None)  # milliseconds each
each_parser = pytest.mark.parametrize("name", parsers.PARSERS)
each_document = pytest.mark.parametrize("name", parsers.documents())


@pytest.fixture(scope="module", autouse=True)
def no_files_left() -> Iterator[None]:
    yield
    parsers.remove_folder()


@contextmanager
def without_library_lines() -> Iterator[None]:
    """Pillow's libraries write on file descriptor 2 what they think of damaged pictures."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def accepts(name: str, content: bytes) -> bool:
    """Return whether a parser takes a file; fail if it raises an error of another kind."""
    began = time.process_time()
    tracemalloc.start()
    try:
        with without_library_lines():
            parsers.PARSERS[name](content)
        return True
    except (DataError, UsageError) as error:
        assert str(error) and isinstance(error, FirstlightError)
        return False
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.process_time() - began < MAX_SECONDS
        assert peak < MAX_MEMORY


@each_parser
def test_a_whole_file_is_accepted(name: str) -> None:
    for sample in parsers.samples()[name]:
        assert accepts(name, sample.content), sample.name


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@each_parser
@quickly
@given(content=st.binary())
def test_any_bytes(name: str, content: bytes) -> None:
    accepts(name, content)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@each_parser
@quickly
@given(random=st.randoms(use_true_random=True))
def test_damaged_files(name: str, random: Random) -> None:
    sample = random.choice(parsers.samples()[name])
    accepts(name, sample.pack(mutations.damaged(sample.inner, random)))


@each_document
@quickly
@given(random=st.randoms(use_true_random=True))
def test_damaged_documents(name: str, random: Random) -> None:
    accepts(name, mutations.damaged_text(parsers.documents()[name], random))


@each_document
@quickly
@given(value=JSON, key=st.text())
def test_any_value_in_a_document(name: str, value: object, key: str) -> None:
    document = parsers.documents()[name]
    for changed in (value, document | {key: value}, *({**document, k: value} for k in document)):
        accepts(name, mutations.as_json(changed))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", [path.name for path in parsers.CORPUS.iterdir() if path.is_dir()])
def test_what_a_fuzzer_has_found(name: str) -> None:
    for file in sorted((parsers.CORPUS / name).iterdir()):
        try:
            accepts(name, file.read_bytes())
        except BaseException as error:
            error.add_note(f"{name}: {file.name}")
            raise
        assert isinstance(file_types.describe(file.read_bytes()), str)
