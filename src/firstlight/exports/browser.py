"""Opens an HTML file in a browser without a window, and returns what it then contains."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from firstlight.errors import ExportError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIME_LIMIT = 120  # seconds; a file of four megabytes takes some ten


def find_browser() -> str:
    """Return the path of the first of PROGRAMS that is installed. Raises ExportError."""
    for program in PROGRAMS:
        if path := shutil.which(program):
            return path
    raise ExportError(
        f"no browser to compare the file with its network: none of {', '.join(PROGRAMS)} is "
        "installed; install Chromium, such as with `apt-get install chromium`"
    )


def loaded_page(file: Path) -> str:
    """Return the HTML of a file's page after its scripts have run, as the browser writes it.

    Raises:
        ExportError: there is no browser, or it took longer than TIME_LIMIT.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="firstlight-browser-") as profile:
        command = [browser, "--headless=new", "--dump-dom", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:  # Chromium refuses its sandbox to root
            command.append("--no-sandbox")
        return output_of([*command, file.resolve().as_uri()])


def output_of(command: list[str]) -> str:
    """Return what a program prints; it has a group of processes, and none of them stays."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # messages about a desktop that is not there
        text=True,
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=TIME_LIMIT)[0]
        except subprocess.TimeoutExpired:
            raise ExportError(f"{command[0]} did not end within {TIME_LIMIT} seconds") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
