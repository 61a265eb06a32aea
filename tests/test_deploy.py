"""What docs/deploy.md describes: the container and the service."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")
TOKEN = "the words of a test"


def has_docker() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=20).returncode == 0


def command_of(instruction: str) -> list[str]:
    """Return the words of the line that begins with an instruction."""
    [found] = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


def answers(url: str, **headers: str) -> bytes:
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        body: bytes = answer.read()
        return body


@pytest.fixture
def container(here: Path) -> Iterator[str]:
    """The address of a container of the image, which is built anew."""
    tag = "firstlight-test"
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, ROOT], check=True)
    run = ["docker", "run", "--detach", "--rm", "--publish", "127.0.0.1::8000"]
    run += ["--env", f"FIRSTLIGHT_TOKEN={TOKEN}", tag]
    name = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    port = subprocess.run(["docker", "port", name, "8000"], capture_output=True, text=True).stdout
    yield f"{name} http://{port.split()[0]}"
    subprocess.run(["docker", "kill", name], capture_output=True)


@pytest.mark.skipif(not has_docker(), reason="no docker that runs")
def test_the_container_answers_and_has_no_root(container: str) -> None:
    name, url = container.split()
    for _ in range(100):
        state = ["docker", "inspect", "--format", "{{.State.Health.Status}}", name]
        if subprocess.run(state, capture_output=True, text=True).stdout.strip() == "healthy":
            break
        time.sleep(1)
    about = json.loads(answers(f"{url}/api/about", Authorization=f"Bearer {TOKEN}"))
    assert about["read_only"] and about["cannot_train"]
    user = subprocess.run(["docker", "exec", name, "id", "-u"], capture_output=True, text=True)
    assert user.stdout.strip() != "0"


def test_the_containers_command_and_its_health_check_work(here: Path) -> None:
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.MULTILINE)
    python, *check = command_of(" +CMD")  # of HEALTHCHECK
    assert python == "python" and "8000" in check[1]
    program, *arguments = command_of("ENTRYPOINT") + command_of("CMD")
    assert program == "firstlight"
    serving = subprocess.Popen(
        [sys.executable, "-m", program, *arguments, "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout
        port = re.findall(r":(\d+)/", json.loads(serving.stdout.readline())["url"])[0]
        asked = [sys.executable, check[0], check[1].replace("8000", port)]
        assert subprocess.run(asked).returncode == 0
    finally:
        serving.kill()
        serving.communicate()
    assert subprocess.run(asked, capture_output=True).returncode != 0


def test_the_service_is_one_that_systemd_takes(tmp_path: Path) -> None:
    [unit] = re.findall(r"```ini\n(.*?)```", DEPLOY, re.DOTALL)
    [start] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, *arguments = shlex.split(start)
    assert Path(program).name == "firstlight" and arguments == command_of("CMD")
    if not shutil.which("systemd-analyze"):
        return
    file = tmp_path / "firstlight.service"
    file.write_text(unit.replace(program, sys.executable))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60
    )
    lines = [line for line in checked.stderr.splitlines() if "firstlight" in line]
    assert not lines, checked.stderr
