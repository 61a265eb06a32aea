"""The suite of benchmarks: what has ended is not run again, what fails does not stop the others."""

from pathlib import Path

import pytest
import suite

BENCHMARKS = Path(suite.__file__).parent
# They measure nothing by themselves; suite.py says why fuzz is not run.
PARTS = {"suite", "report", "pages", "parsers", "mutations", "fuzz"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the suite has four benchmarks."""
    scripts = {
        "good": "open('good.txt', 'a').write('x')",
        "bad": "import sys, pathlib; sys.exit(not pathlib.Path('mended').exists())",
        "late": "print('hello')",
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.py").write_text(text)
    benchmarks = [suite.Benchmark(name, f"{name}.py") for name in scripts]
    benchmarks.append(suite.Benchmark("of pictures", "good.py {pictures}"))
    monkeypatch.setattr(suite, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(suite, "HERE", tmp_path)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite, "LOGS", tmp_path / "logs")
    monkeypatch.setattr("sys.argv", ["suite.py"])
    return tmp_path


def test_what_ended_is_not_run_again_and_what_failed_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^failed: bad$"):
        suite.main()
    first = capsys.readouterr().out
    assert "late: done in" in first and "of pictures: left out: the folder" in first
    (folder / "mended").touch()
    suite.main()
    assert "bad: done in" in capsys.readouterr().out
    assert (folder / "good.txt").read_text() == "x"
    log = (folder / "logs" / "late.log").read_text()
    assert log.startswith("hello\n") and log.endswith(" seconds\n")


def test_the_list_runs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["suite.py", "--list", "--pictures", "."])
    suite.main()
    assert capsys.readouterr().out.count("to do") == 4
    assert not (folder / "good.txt").exists()


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_the_suite_runs_every_benchmark_that_exists(script: Path) -> None:
    commands = [benchmark.command.split()[0] for benchmark in suite.BENCHMARKS]
    assert (script.name in commands) != (script.stem in PARTS)
