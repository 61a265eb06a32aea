"""Data in the forms in which people have it: each is read as the same images, or named."""

import csv
import gzip
import io
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer, write_idx

import firstlight as fl
from firstlight import catalog
from firstlight.datasets import Dataset, _csv, _idx, _unlabelled, mnist
from firstlight.datasets._names import Place, place_of
from firstlight.errors import DataError
from firstlight.images.values import ValueRange

TRAIN, TEST = 120, 24
Write = Callable[[Path], Path | None]


class Digits:
    """Images (N, 28, 28) and labels (N,) of MNIST: training and test."""

    x, y = (_idx.read(mnist.DIRECTORY, name)[:TRAIN] for name in _idx.FILES["train"])
    x_test, y_test = (_idx.read(mnist.DIRECTORY, name)[:TEST] for name in _idx.FILES["test"])


D = Digits
ONE_HOT = np.eye(10)


def rows(dataset: Dataset, split: str) -> dict[bytes, str]:
    """Return the class of each image, by its pixels: their order does not matter."""
    examples = dataset.load(split)
    return {
        image.tobytes(): dataset.classes[label]
        for image, label in zip(examples.images[:], examples.labels, strict=True)
    }


def expected(images: np.ndarray, labels: np.ndarray) -> dict[bytes, str]:
    return {image.tobytes(): str(label) for image, label in zip(images, labels, strict=True)}


def assert_digits(path: Path, test: bool = True, images: np.ndarray = D.x) -> Dataset:
    """Check that a path holds the digits, and as test images those of MNIST if there are some."""
    dataset = catalog.dataset(str(path))
    assert rows(dataset, "train") | rows(dataset, "val") == expected(images, D.y)
    assert ("test" in dataset.splits) == test
    if test:
        assert rows(dataset, "test") == expected(D.x_test, D.y_test)
    return dataset


def savez(**arrays: Any) -> Write:
    return lambda folder: np.savez(folder / "digits.npz", **arrays) or folder / "digits.npz"


def save_npy(folder: Path) -> None:
    for name, array in {
        "X_train": D.x,
        "Y_train": D.y,
        "X_test": D.x_test,
        "Y_test": D.y_test,
    }.items():
        np.save(folder / f"{name}.npy", array)


def save_kmnist(folder: Path) -> None:
    for name, array in {
        "train-imgs": D.x,
        "train-labels": D.y,
        "test-imgs": D.x_test,
        "test-labels": D.y_test,
    }.items():
        np.savez_compressed(folder / f"kmnist-{name}.npz", array)


def save_idx(pattern: str, folder: str = "", zipped: bool = False, dtype: int = 8) -> Write:
    """Write the four files; `pattern` has the split, the role and the number of dimensions."""

    def write(root: Path) -> None:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for split, images, labels in (("train", D.x, D.y), ("t10k", D.x_test, D.y_test)):
            for role, array in (("images", images), ("labels", labels)):
                values = array.astype(_idx.TYPES[dtype]) if role == "images" else array
                kind = dtype if role == "images" else 8
                content = bytes((0, 0, kind, values.ndim)) + struct.pack(
                    f">{values.ndim}I", *values.shape
                )
                content += values.tobytes()
                path = root / folder / pattern.format(split=split, role=role, n=array.ndim)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(gzip.compress(content) if zipped else content)

    return write


def table(images: np.ndarray, labels: np.ndarray | None, last: bool = False) -> list[list[Any]]:
    values = images.reshape(len(images), -1).tolist()
    if labels is None:
        return values
    return [
        [*row, label] if last else [label, *row]
        for row, label in zip(values, labels.tolist(), strict=True)
    ]


HEADER = [f"pixel{i}" for i in range(784)]


def save_csv(
    name: str = "train.csv",
    header: list[str] | None = None,
    last: bool = False,
    delimiter: str = ",",
    test_name: str = "",
    scale: float | None = None,
    index: bool = False,
    ending: str = "\n",
    quoted: bool = False,
) -> Write:
    def write(folder: Path) -> Path:
        for file, images, labels in ((name, D.x, D.y), (test_name, D.x_test, D.y_test)):
            if not file:
                continue
            lines = table(images / scale if scale else images, labels, last)
            if header:
                lines = [header, *lines]
            if index:
                lines = [[i - 1 if i else "", *line] for i, line in enumerate(lines)]
            text = io.StringIO()
            quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
            csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=quoting).writerows(
                lines
            )
            content = text.getvalue().encode()
            (folder / file).write_bytes(gzip.compress(content) if file.endswith("gz") else content)
        return folder if test_name else folder / name

    return write


def save_fer(folder: Path) -> None:
    with (folder / "fer2013.csv").open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for usage, images, labels in (("Training", D.x, D.y), ("PrivateTest", D.x_test, D.y_test)):
            for image, label in zip(images, labels, strict=True):
                file.write(f"{label},{' '.join(map(str, image.ravel()))},{usage}\n")


def kaggle(change: Callable[[list[str]], list[str]]) -> Write:
    def write(folder: Path) -> Path:
        path = save_csv(header=["label", *HEADER])(folder)
        assert path
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
        return path

    return write


def save_usps(folder: Path) -> Path:
    """Values from -1 to 1 with spaces between them, and one at the end of each line."""
    lines = [
        f"{float(label):.4f} " + " ".join(f"{value:.4f}" for value in image.ravel() / 127.5 - 1)
        for image, label in zip(D.x, D.y, strict=True)
    ]
    content = gzip.compress("".join(f"{line} \n" for line in lines).encode())
    (folder / "zip.train.gz").write_bytes(content)
    return folder / "zip.train.gz"


FORMS: dict[str, tuple[Write, bool]] = {  # → how it is written, and whether it has test images
    "npz keras": (savez(x_train=D.x, y_train=D.y, x_test=D.x_test, y_test=D.y_test), True),
    "npz words": (
        savez(train_images=D.x, train_labels=D.y, test_images=D.x_test, test_labels=D.y_test),
        True,
    ),
    "npz other order": (
        savez(imagesTrain=D.x, labelsTrain=D.y, testX=D.x_test, testY=D.y_test),
        True,
    ),
    "npz one pair": (savez(images=D.x, labels=D.y), False),
    "npz X y": (savez(X=D.x.reshape(-1, 784), y=D.y), False),
    "npz data target": (
        savez(data=D.x.reshape(-1, 784).astype(float), target=D.y.astype(str)),
        False,
    ),
    "npz positional": (savez(arr_0=D.x, arr_1=D.y), False),
    "npz positional four": (savez(arr_0=D.x, arr_1=D.y, arr_2=D.x_test, arr_3=D.y_test), True),
    "npz channel last": (savez(x_train=D.x[..., None], y_train=D.y[:, None]), False),
    "npz channel first": (savez(x_train=D.x[:, None], y_train=D.y.astype(float)), False),
    "npz one-hot": (savez(x_train=D.x, y_train=ONE_HOT[D.y]), False),
    "npz one-hot bool": (savez(x_train=D.x, y_train=ONE_HOT[D.y].astype(bool)), False),
    "npz 0 to 1": (savez(x_train=(D.x / 255).astype(np.float32), y_train=D.y), False),
    "npz -1 to 1": (savez(x_train=(D.x / 127.5 - 1).astype(np.float32), y_train=D.y), False),
    "npz float 255": (savez(x_train=D.x.astype(np.float64), y_train=D.y.astype(np.int64)), False),
    "npz int32": (savez(x_train=D.x.astype(np.int32), y_train=D.y), False),
    "npz matlab": (savez(X=np.moveaxis(D.x, 0, -1), y=D.y[None].astype(np.uint8)), False),
    "npy side by side": (save_npy, True),
    "npz kmnist": (save_kmnist, True),
    "idx": (save_idx("{split}-{role}-idx{n}-ubyte"), True),
    "idx dots": (save_idx("{split}-{role}.idx{n}-ubyte"), True),
    "idx gz dots": (save_idx("{split}-{role}.idx{n}-ubyte.gz", zipped=True), True),
    "idx torchvision": (save_idx("{split}-{role}-idx{n}-ubyte", "MNIST/raw"), True),
    "idx own folders": (save_idx("{split}-{role}-idx{n}-ubyte/{split}-{role}-idx{n}-ubyte"), True),
    "idx prefix": (save_idx("kuzushiji-{split}-{role}-idx{n}-ubyte"), True),
    "idx short names": (save_idx("{split}_{role}"), True),
    "idx short": (save_idx("{split}-{role}-idx{n}-short", dtype=11), True),
    "idx int": (save_idx("{split}-{role}-idx{n}-int", dtype=12), True),
    "idx float": (save_idx("{split}-{role}-idx{n}-float", dtype=13), True),
    "idx double": (save_idx("{split}-{role}-idx{n}-double", dtype=14), True),
    "csv kaggle": (save_csv(header=["label", *HEADER]), False),
    "csv no header": (save_csv(name="mnist_train.csv", test_name="mnist_test.csv"), True),
    "csv label last": (save_csv(header=[*HEADER, "class"], last=True), False),
    "csv label last, no header": (save_csv(last=True), False),
    "csv numbered header": (save_csv(header=[str(i) for i in range(785)]), False),
    "csv numbers beside the label": (
        save_csv(header=["class", *map(str, range(784))], scale=255.0),
        False,
    ),
    "csv numbers before the label": (
        save_csv(header=[*map(str, range(1, 785)), "label"], last=True),
        False,
    ),
    "csv own header": (
        save_csv(header=["label", *(f"{i}x{j}" for i in range(28) for j in range(28))]),
        False,
    ),
    "csv index": (save_csv(header=["label", *HEADER], index=True), False),
    "csv gz": (save_csv("train.csv.gz", ["label", *HEADER], test_name="test.csv.gz"), True),
    "csv semicolons": (save_csv(header=["label", *HEADER], delimiter=";"), False),
    "csv tabs": (save_csv("train.tsv", ["label", *HEADER], delimiter="\t"), False),
    "csv 0 to 1": (save_csv(header=["label", *HEADER], scale=255.0), False),
    "csv windows": (save_csv(header=["label", *HEADER], ending="\r\n"), False),
    "csv quoted": (save_csv(header=["label", *HEADER], quoted=True), False),
    "csv pixels in a cell": (save_fer, True),
    "csv usps": (save_usps, False),
    "csv delimiter at the end": (kaggle(lambda lines: [f"{line}," for line in lines]), False),
    "csv spaces": (kaggle(lambda lines: [line.replace(",", ", ") for line in lines]), False),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_as_the_same_images(tmp_path: Path, form: str) -> None:
    write, has_test = FORMS[form]
    path = write(tmp_path) or tmp_path
    dataset = assert_digits(path, has_test)
    assert set(dataset.classes) <= set("0123456789") and all(map(str.isprintable, dataset.name))
    assert catalog.dataset(str(path)).fingerprint() == dataset.fingerprint()


def test_colour_is_told_from_rows_of_values(tmp_path: Path) -> None:
    """Planes as CIFAR has them, or three values for each pixel."""
    smooth = np.linspace(0, 255, 16, dtype=np.uint8)
    images = np.stack(np.broadcast_arrays(smooth[:, None], smooth[None], np.uint8(9)), -1)[None]
    images = np.concatenate([images, images[:, ::-1]] * 12)
    for flat in (images, np.moveaxis(images, -1, 1)):
        np.savez(tmp_path / "c.npz", x=flat.reshape(len(flat), -1), y=np.arange(24) % 2)
        dataset = catalog.dataset(str(tmp_path / "c.npz"))
        assert np.array_equal(
            np.unique(dataset.load("train").images[:], axis=0), np.unique(images, axis=0)
        )
        assert "taken as colour" in dataset.notices()[0]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (D.x // 16, "values up to 15 are taken as 0 to 16"),
        ((D.x > 127).astype(np.uint8), "values up to 1 are taken as 0 to 1"),
        (D.x.astype(np.uint16) * 257, "values up to 65,535 are taken as 16 bits"),
        (D.x / 127.5 - 1, "values from -1 to 1 are taken as -1 to 1"),
    ],
)
def test_what_had_to_be_guessed_is_said(tmp_path: Path, values: np.ndarray, note: str) -> None:
    np.savez(tmp_path / "d.npz", images=values, labels=D.y)
    dataset = catalog.dataset(str(tmp_path / "d.npz"))
    assert note in dataset.notices()[0] and dataset.load("train").images[:].max() >= 239


def test_medmnist_has_three_splits_and_sparse_labels_are_classes(tmp_path: Path) -> None:
    arrays = {
        f"{split}_{role}": value
        for split, n in (("train", 60), ("val", 12), ("test", 24))
        for role, value in (
            ("images", np.zeros((n, 8, 8, 3), np.uint8)),
            ("labels", np.full((n, 1), 5)),
        )
    }
    arrays["train_labels"] = np.arange(60)[:, None] % 3 * 1000 + 5
    np.savez(tmp_path / "pathmnist.npz", **arrays)
    dataset = catalog.dataset(str(tmp_path / "pathmnist.npz"))
    assert dataset.classes == ("5", "1005", "2005") and dataset.made == ""
    assert [len(dataset.load(split)) for split in dataset.splits] == [60, 12, 24]


def test_names_of_classes_in_an_npz_are_used(tmp_path: Path) -> None:
    names = [f"digit {i}" for i in range(10)]
    np.savez(tmp_path / "d.npz", images=D.x, labels=D.y, class_names=names)
    assert catalog.dataset(str(tmp_path / "d.npz")).classes == tuple(names)


def save_emnist(folder: Path, images: np.ndarray) -> None:
    for split in ("train", "test"):
        write_idx(folder / f"emnist-letters-{split}-images-idx3-ubyte.gz", images.swapaxes(1, 2))
        write_idx(folder / f"emnist-letters-{split}-labels-idx1-ubyte.gz", np.arange(52) % 26 + 1)


def test_quick_draw_has_a_file_for_each_class(tmp_path: Path) -> None:
    for number, name in enumerate(("cat", "hot_dog")):
        np.save(tmp_path / f"full_numpy_bitmap_{name}.npy", D.x[number::2].reshape(-1, 784))
    dataset = catalog.dataset(str(tmp_path))
    assert (
        dataset.classes == ("cat", "hot dog") and "as a class: cat, hot dog" in dataset.notices()[0]
    )
    cats = {image.tobytes() for image in D.x[::2]}
    assert all((name == "cat") == (image in cats) for image, name in rows(dataset, "train").items())


def test_emnist_is_turned_upright_and_its_letters_are_named(tmp_path: Path) -> None:
    save_emnist(tmp_path, D.x[:52])
    dataset = catalog.dataset(str(tmp_path))
    assert dataset.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert np.array_equal(dataset.load("test").images[..., 0], D.x[:52])
    assert any("turned upright" in notice for notice in dataset.notices())
    save_idx("emnist-digits-{split}-{role}-idx{n}-ubyte")(tmp_path)
    with pytest.raises(DataError, match="several data sets: emnist-digits, emnist-letters; name a"):
        catalog.dataset(str(tmp_path))
    one = catalog.dataset(str(tmp_path / "emnist-letters-test-labels-idx1-ubyte.gz"))
    assert one.classes == dataset.classes


EMNIST = {  # path → whether its images lie on their side
    "emnist/test.csv": True,
    "emnist-letters/train.npz": True,
    "emnist.npz": True,
    "emnist_letters.csv": True,
    "EMNIST-Letters/raw/test.csv": True,
    "emnist/qmnist.npz": False,
    "femnist.npz": False,
    "letters.csv": False,
}


@pytest.mark.parametrize("name", EMNIST)
def test_emnist_is_turned_alike_for_training_and_for_answers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.arange(TRAIN) % 26 + 1
    if path.suffix == ".npz":
        np.savez(path, images=D.x, labels=labels)
    else:
        np.savetxt(path, table(D.x, labels), fmt="%d", delimiter=",")
    dataset = catalog.dataset(str(path))
    answered = _unlabelled.read(path).pixels
    assert np.array_equal(answered[..., 0], D.x.swapaxes(1, 2) if EMNIST[name] else D.x)
    assert {image.tobytes() for image in answered} == set().union(
        *(rows(dataset, split) for split in dataset.splits)
    )
    assert ("A" in dataset.classes) == ("letters" in name.lower() and EMNIST[name])


def test_the_same_values_twice_are_no_contradiction(tmp_path: Path) -> None:
    save_csv()(tmp_path)
    save_csv(name="train.csv.gz")(tmp_path)
    assert_digits(tmp_path, test=False)
    (tmp_path / "n").mkdir()
    savez(data=D.x.reshape(TRAIN, -1), images=D.x, target=D.y, image_ids=np.arange(TRAIN))(
        tmp_path / "n"
    )
    notices = assert_digits(tmp_path / "n", test=False).notices()
    assert any("digits.npz: image_ids is left out" in notice for notice in notices)


def test_names_in_other_bytes_stay_different_classes(tmp_path: Path) -> None:
    names = np.array(["café".encode("cp1252"), "cafè".encode("cp1252")])
    labels = np.arange(TRAIN) % 2
    savez(x=D.x, y=names[labels])(tmp_path)
    assert catalog.dataset(str(tmp_path)).classes == ("cafè", "café")
    savez(x=D.x, y=labels, class_names=names)(tmp_path)
    assert catalog.dataset(str(tmp_path)).classes == ("café", "cafè")


BYTES_, BITS, SCIKIT, SIGNED = map(ValueRange, (0, 0, 0, -1), (255, 1, 16, 1))


@pytest.mark.parametrize(
    ("trained", "values", "white", "note"),
    [
        (BYTES_, np.uint8([0, 16]), 16, ""),  # a dark image
        (None, np.uint8([0, 16]), 255, "values up to 16 are taken as 0 to 16"),
        (BYTES_, np.uint8([0, 1]), 255, "the network was trained on 0 to 255"),
        (BYTES_, np.float64([0, 0.5]), 128, ""),
        (BYTES_, np.float64([0, 1, 3]), 3, ""),
        (SCIKIT, np.float64([0, 8]), 128, ""),
        (SCIKIT, np.uint8([0, 255]), 255, ""),
        (SIGNED, np.float32([-1, -0.5]), 64, ""),
        (SIGNED, np.float32([-0.4, 0.4]), 178, ""),
        (ValueRange(0, 65535), np.uint16([0, 257]), 1, ""),
        (ValueRange(0, 65535), np.uint8([0, 255]), 255, ""),
        (BITS, np.uint8([0, 1]), 255, ""),
    ],
)
def test_answers_take_the_values_that_the_network_has_learned(
    tmp_path: Path, trained: ValueRange | None, values: np.ndarray, white: int, note: str
) -> None:
    np.save(tmp_path / "x.npy", np.broadcast_to(values, (3, 4, len(values))))
    images = _unlabelled.read(tmp_path / "x.npy", trained)
    assert images.pixels.max() == white
    assert note in images.note and bool(note) == bool(images.note)


def test_qmnist_has_labels_of_eight_columns(tmp_path: Path) -> None:
    columns = np.zeros((TRAIN, 8), ">i4")
    columns[:, 0], columns[:, 2] = D.y, 4000
    header = bytes((0, 0, 12, 2)) + struct.pack(">2I", TRAIN, 8)
    for split in ("train", "test"):
        write_idx(tmp_path / f"qmnist-{split}-images-idx3-ubyte", D.x)
        (tmp_path / f"qmnist-{split}-labels-idx2-int").write_bytes(header + columns.tobytes())
    assert rows(catalog.dataset(str(tmp_path)), "test") == expected(D.x, D.y)


@pytest.mark.parametrize("classes", [2, 3, 26])
@pytest.mark.parametrize("is_last", [False, True])
def test_a_label_is_told_from_the_pixels_of_a_photograph(
    tmp_path: Path, classes: int, is_last: bool
) -> None:
    """Without a header. A corner of a drawing is white; that of a photograph has all values."""
    pixels = np.random.default_rng(0).normal(130, 40, (200, 64)).clip(0, 255).astype(int)
    labels = np.arange(200) % classes
    columns = [pixels, labels] if is_last else [labels, pixels]
    np.savetxt(tmp_path / "t.csv", np.column_stack(columns), fmt="%d", delimiter=",")
    assert (_csv.read(tmp_path / "t.csv").labels == labels).all()


def test_a_row_without_a_label_is_refused(tmp_path: Path) -> None:
    rows = [f"{label},{'0,' * 63}9" for label in (0, 1, "", 1)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.csv: row 3 of the images has no label"):
        fl.dataset(tmp_path / "t.csv")


def test_a_table_of_no_images_beside_others_is_named(tmp_path: Path) -> None:
    save_csv()(tmp_path)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    (tmp_path / "test.csv").write_text("\n".join(line + ",0" for line in lines) + "\n")
    notices = assert_digits(tmp_path, test=False).notices()
    assert "test.csv has rows of 786 values, which are no square image" in " ".join(notices)


def test_a_fault_of_a_split_names_its_file(tmp_path: Path) -> None:
    both(save_csv(), save_csv(name="test.csv", scale=-1))(tmp_path)
    dataset = catalog.dataset(str(tmp_path))
    with pytest.raises(DataError, match=r"/test\.csv: test images: values from -\d+ to 0; "):
        dataset.load("test")


def test_kaggles_test_images_have_no_labels(tmp_path: Path) -> None:
    save_csv(header=["label", *HEADER])(tmp_path)
    lines = [HEADER, *table(D.x_test, None)]
    text = "\n".join(",".join(map(str, line)) for line in lines)
    (tmp_path / "test.csv").write_text(text + "\n")
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n2,0\n")
    dataset = assert_digits(tmp_path, test=False)
    assert "test.csv has no labels" in dataset.notices()[0]
    with pytest.raises(DataError, match=r"images without labels.*`firstlight predict RUN"):
        catalog.dataset(str(tmp_path / "test.csv"))
    assert np.array_equal(_csv.read(tmp_path / "test.csv").images, D.x_test.reshape(TEST, -1))


def test_a_column_may_name_the_split_of_each_row(tmp_path: Path) -> None:
    header = ["split", "label", *HEADER]
    for names, splits in (
        (["train", "valid", "test"], {"train", "val", "test"}),
        (["0", "1", "2"], {"train", "val"}),  # folds
    ):
        lines = [[names[i % 3], *row] for i, row in enumerate(table(D.x, D.y))]
        text = "\n".join(",".join(map(str, line)) for line in [header, *lines])
        (tmp_path / "all.csv").write_text(text + "\n")
        assert set(catalog.dataset(str(tmp_path)).splits) == splits
    (tmp_path / "all.csv").write_text(text.replace("\n0,", "\ntrain,") + "\n")
    with pytest.raises(DataError, match=r"the split of a row is '[12]'; the splits are: train"):
        catalog.dataset(str(tmp_path))


def test_labels_of_a_table_may_be_names_and_images_in_colour(tmp_path: Path) -> None:
    names = ["cat", "dög"]
    lines = [",".join([names[i % 2], *map(str, [i] * 48)]) for i in range(24)]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n", "utf-8")
    dataset = catalog.dataset(str(tmp_path / "data.csv"))
    assert dataset.classes == ("cat", "dög") and dataset.load("train").images.size == (4, 4, 3)


def file(name: str, content: bytes) -> Write:
    return lambda folder: (folder / name).write_bytes(content) and folder / name


def torch_file(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "train.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    return folder / "train.pt"


def pickles(folder: Path) -> None:
    (folder / "batches").mkdir()
    (folder / "batches/data_batch_1").write_bytes(b"\x80\4\x95")


def two_sets(folder: Path) -> None:
    for name in ("pathmnist", "bloodmnist"):
        np.savez(folder / f"{name}.npz", images=D.x, labels=D.y)


def both(*writes: Write) -> Write:
    def write(folder: Path) -> None:
        for each in writes:
            each(folder)

    return write


def idx_twice(folder: Path) -> None:
    save_idx("{split}-{role}-idx{n}-ubyte")(folder)
    write_idx(folder / "train-images-idx3-ubyte.gz", D.x[::-1])


BAD: dict[str, tuple[Write, str]] = {
    "ragged row": (
        kaggle(lambda lines: [*lines[:7], lines[7] + ",1", *lines[8:]]),
        "line 8 is not 785 cells",
    ),
    "ragged first row": (
        kaggle(lambda lines: [lines[0], lines[1] + ",1", *lines[2:]]),
        "line 2 is not 785 cells",
    ),
    "empty cell": (kaggle(lambda lines: [*lines[:7], lines[7][:-1], *lines[8:]]), "line 8 is not"),
    "text in a cell": (
        kaggle(lambda lines: [*lines[:7], lines[7][:-1] + "x", *lines[8:]]),
        "line 8 is not",
    ),
    "value of 300": (
        kaggle(lambda lines: [*lines[:7], lines[7][:-1] + "300", *lines[8:]]),
        "values from 0 to 300",
    ),
    "header alone": (kaggle(lambda lines: lines[:1]), "no rows"),
    "no square": (
        kaggle(lambda lines: [line.rpartition(",")[0] for line in lines]),
        "783 values, which are no square",
    ),
    "cut off": (kaggle(lambda lines: [*lines[:-1], lines[-1][:99]]), "line 121 is not 785 cells"),
    "utf-16": (
        file("train.csv", "label,pixel0\n1,2\n".encode("utf-16")),
        "UTF-16; save it as UTF-8",
    ),
    "iris": (file("iris.csv", b"a,b,c\n1,2,x\n"), "not a dataset; data can be IDX"),
    "web page": (file("train.csv", b"<!DOCTYPE html><html>"), "a web page, not the file"),
    "git lfs": (
        file("train.csv.gz", b"version https://git-lfs.github.com/spec/v1\noid"),
        "a Git LFS pointer",
    ),
    "zip": (file("mnist.zip", b"PK\3\4train.csv"), "a zip archive; unpack it"),
    "hdf5": (file("data.h5", b"\x89HDF\r\n\x1a\n"), "an HDF5 file; open it with h5py"),
    "arff": (file("mnist.arff", b"% a comment\n@RELATION mnist\n"), "an ARFF file; open it with"),
    "matlab": (file("test.mat", b"MATLAB 5.0 MAT-file"), "loadmat"),
    "pickle": (
        file("data_batch_1", b"\x80\4\x95"),
        "a Python pickle, which could run foreign code",
    ),
    "json": (file("data.json", b'[{"file": "a.png", "label": 1}]'), "JSON; save it as CSV: a row"),
    "json lines": (
        file("data.jsonl", b'{"label": 5, "pixels": [0, 1]}\n' * 9),
        "JSON; save it as CSV: a row `file,label`",
    ),
    "raw": (file("images.bin", bytes(5000)), "raw bytes, which do not say how large"),
    "cifar": (file("data_batch_1.bin", bytes(2 * 3073)), "raw bytes, as CIFAR-10 has them"),
    "folder of pickles": (pickles, "batches/data_batch_1 is a Python pickle"),
    "npy object": (
        lambda folder: np.save(folder / "data.npy", np.array({}, object)) or folder / "data.npy",
        "Python objects",
    ),
    "torch": (torch_file, "a PyTorch file with a Python pickle"),
    "empty": (file("train.csv", b""), "an empty file"),
    "npz object": (savez(x=np.array([{}], object), y=np.zeros(1, int)), "Python objects"),
    "npz no labels": (savez(x_train=D.x), "no labels beside digits.npz: x_train"),
    "npz odd names": (savez(a=D.x, b=D.y, c=D.y), "it must have images and labels: x_train and"),
    "npz counts": (savez(x=D.x, y=D.y[:7]), "120 images, but labels of shape"),
    "npz standardised": (savez(x=(D.x - 33.3) / 78.6, y=D.y), "undo a normalization"),
    "npz nan": (savez(x=np.full((4, 8, 8), np.nan), y=np.arange(4)), "finite numbers"),
    "npz many labels": (savez(x=D.x, y=np.ones((TRAIN, 14), int)), "each image needs one label"),
    "npz volumes": (
        savez(x=np.zeros((4, 8, 8, 8)), y=np.arange(4)),
        "it must be .N, height, width.",
    ),
    "npz half labels": (savez(x=D.x, y=D.y + 0.5), "whole numbers from 0, or names"),
    "npz negative": (savez(x=D.x, y=D.y.astype(int) - 1), "labels from -1 to 8"),
    "npz huge label": (savez(x=D.x[:2], y=np.array([-1, 1 << 33])), "labels"),
    "npz ids as labels": (
        savez(x=np.zeros((20_000, 2, 2), np.uint8), y=np.arange(20_000)),
        "20,000 different",
    ),
    "npz several": (two_sets, "several data sets: bloodmnist, pathmnist"),
    "csv twice": (
        both(save_csv(), save_csv(name="train.csv.gz", scale=2)),
        "train.csv and .*train.csv.gz are both for the train images, and differ; keep one",
    ),
    "csv of no split beside train": (
        both(save_csv(), save_csv(name="data.csv", last=True)),
        "data.csv and .*train.csv are both for the train images",
    ),
    "idx twice": (idx_twice, "ubyte and .*ubyte.gz are both for the train images"),
    "npz twice": (
        savez(x_train=D.x, train_images=D.x + 1, y_train=D.y),
        "digits.npz: x_train and digits.npz: train_images can both be the images, and differ",
    ),
    "npz of no split beside train": (
        savez(x_train=D.x, y_train=D.y, x=D.x + 1, y=D.y),
        "x_train and digits.npz: x can both be the images",
    ),
    "npz parts": (
        savez(images_1=D.x, images_2=D.x[1:], labels=D.y),
        "images_1 and digits.npz: images_2 can both be",
    ),
    "npz two labels": (
        savez(x=D.x, fine_labels=D.y, coarse_labels=D.y // 2),
        "fine_labels and digits.npz: coarse_labels can both be the labels",
    ),
    "npz and csv": (
        both(save_csv(), savez(x=D.x, y=D.y)),
        "given holds images in digits.npz and in train.csv; name the one to take",
    ),
    "npz empty name": (savez(x=D.x[:4], y=np.array(["a", "", "b", "c"])), "labels: an empty name"),
    "npz name that moves the cursor": (
        savez(x=D.x[:2], y=np.array(["a", "\x1b[2J"])),
        r"labels: '\\x1b\[2J' has characters that are no text",
    ),
    "csv no label": (
        kaggle(lambda lines: [*lines[:3], lines[3][1:], *lines[4:]]),
        "train.csv: row 3 of the images has no label; remove the row",
    ),
    "npy alone": (
        lambda folder: np.save(folder / "images.npy", D.x) or folder / "images.npy",
        "no labels beside",
    ),
    "idx no labels": (
        lambda folder: write_idx(folder / "train-images-idx3-ubyte", D.x),
        "train-labels-idx1-ubyte is missing",
    ),
}


@pytest.mark.parametrize("form", BAD)
def test_what_cannot_be_taken_is_named_in_one_line(
    firstlight: Callable[..., Answer], tmp_path: Path, form: str
) -> None:
    write, message = BAD[form]
    folder = tmp_path / "given"
    folder.mkdir()
    path = write(folder) or folder
    answer = firstlight("data", "check", path)
    assert answer.code == 4 and answer.err.count("\n") == 1
    assert re.search(message, answer.err), answer.err


def test_zeros_that_unpack_to_very_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.datasets._array_files.MIN_UNPACKED", 100_000)
    zeros = np.zeros((2000, 28, 28), np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", zeros)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(2000) % 2)
    np.savez_compressed(tmp_path / "d.npz", images=zeros, labels=np.arange(2000) % 2)
    with pytest.raises(DataError, match=r"ubyte\.gz: unpacks to more than"):
        catalog.dataset(tmp_path / "train-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match=r"d\.npz: images.* more than"):
        catalog.dataset(tmp_path / "d.npz")


def test_a_table_of_one_long_line_is_no_table_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"1," * 3_000_000)
    with pytest.raises(DataError, match="not a dataset"):
        catalog.dataset(tmp_path / "data.csv")


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    for shape in ((1 << 40, 28, 28), (1 << 30, 28, 28)):
        content = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            content, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
            archive.writestr("x.npy", content.getvalue())
            archive.writestr("y.npy", content.getvalue())
        with pytest.raises(DataError, match="more than 256 MiB"):
            catalog.dataset(str(tmp_path / "d.npz"))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("train-images-idx3-ubyte", Place("", "train", "images")),
        ("emnist-letters-test-labels-idx1-ubyte", Place("emnist-letters", "test", "labels")),
        ("XTrain", Place("", "train", "images")),
        ("ytest", Place("", "test", "labels")),
        ("kmnist-train-imgs", Place("kmnist", "train", "images")),
        ("sign_mnist_valid", Place("sign-mnist", "val", "")),
        ("class names", Place("", "", "classes")),
        ("testament", Place("testament", "", "")),
    ],
)
def test_names_say_what_a_file_is(name: str, place: Place) -> None:
    assert place_of(name) == place


def test_what_is_said_of_cifars_raw_bytes_converts_them(here: Path) -> None:
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (40, 3, 4, 4), np.uint8), np.ones((8, 8), np.uint8))
    labels = np.arange(40, dtype=np.uint8) % 10
    rows = np.column_stack([labels, smooth.reshape(40, -1)])
    Path("data_batch_1.bin").write_bytes(rows.tobytes())
    with pytest.raises(DataError, match="convert them: ") as refused:
        catalog.dataset("data_batch_1.bin")
    exec(str(refused.value).partition("convert them: ")[2], {"np": np})
    data = catalog.dataset("data_batch_1.npz")
    examples = [data.load(split) for split in data.splits]
    assert sorted(np.concatenate([each.labels for each in examples])) == sorted(labels)
    images = np.concatenate([each.images[:] for each in examples])
    assert images.shape == (40, 32, 32, 3)
    assert {image.tobytes() for image in images} == {
        np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes() for image in smooth
    }
