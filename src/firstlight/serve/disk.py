"""Is there room for a training? Asked before the page starts one."""

import shutil
from pathlib import Path
from typing import Any

from firstlight import catalog
from firstlight.errors import UsageError

MIN_FREE = 100_000_000  # bytes, of figures and logs
# Three checkpoints of weights and momentum, one of them still being written, and the weights twice.
BYTES_FOR_EACH_PARAMETER = 32


def refuse_full(folder: Path, network: Any) -> None:
    """Raises UsageError if the disk of a folder has too little room to train a network."""
    parameters = next((e.parameters for e in catalog.networks() if e.name == network), 0)
    needed = MIN_FREE + BYTES_FOR_EACH_PARAMETER * parameters
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise UsageError(
            f"{folder.absolute()}: {free / 1e6:,.0f} MB are free on this disk, and a training "
            f"may need {needed / 1e6:,.0f} MB; delete runs, or files"
        )
