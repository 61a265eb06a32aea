"""When one machine is not enough: reads scans on several with Ray Data, a reader on each worker.

    pip install 'ray[data]'
    python docs/ray_read.py scans/ digits.csv --workers 16

It writes the table that `firstlight read scans/ --out digits.csv` writes, byte for byte. On a
cluster, firstlight is installed on every machine, the scans lie where all of them see them under
the same path, and `ray start` has been called. Ray itself reads again what a machine that fails
had in work; a stopped program begins anew.
"""

import argparse
from pathlib import Path
from typing import Any

import ray

from firstlight import onnx_model
from firstlight.images.files import find_pictures
from firstlight.images.open import count_pages
from firstlight.reading.pages import Page, pages_of, read_page
from firstlight.reading.table import LINE_COLUMNS, line_rows
from firstlight.runs.files import atomic_write
from firstlight.tables import check_table, csv_line, encoded, is_csv


class Reader:
    """Lives in one worker; its network stays in memory."""

    def __init__(self, as_csv: bool) -> None:
        onnx_model.SMALL_MODEL_THREADS = 1  # the other cores have readers of their own
        self.as_csv = as_csv

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Return a page's rows, encoded."""
        page = Page(Path(task["file"]), task["page"] or None)
        reading = read_page(page, model=None, single=False)
        return {"rows": encoded(line_rows(reading, self.as_csv), self.as_csv)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scans", type=Path, help="a folder, a file or a pattern")
    parser.add_argument("out", type=Path, help="a name that ends in .csv or .jsonl")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    check_table(arguments.out, "out")
    files = dict.fromkeys(find_pictures([arguments.scans], pdf=True).files)
    pages = [
        {"file": str(page.file), "page": page.page or 0}
        for page in pages_of(list(files), count_pages)
    ]
    ray.init()
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    as_csv = is_csv(arguments.out)
    tasks = ray.data.from_items(pages, override_num_blocks=min(len(pages), 8 * arguments.workers))
    strategy = ray.data.ActorPoolStrategy(size=arguments.workers)
    read = tasks.map(Reader, fn_constructor_args=(as_csv,), compute=strategy, num_cpus=1)
    with atomic_write(arguments.out) as file:
        if as_csv:
            file.write(csv_line(LINE_COLUMNS).encode())
        for row in read.iter_rows():
            file.write(row["rows"])


if __name__ == "__main__":
    main()
