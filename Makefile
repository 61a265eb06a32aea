# `make run` shows the whole thing, `make test` proves it; both do all the set-up they need.
PYTHON ?= python3
EXTRA ?= train
BIN := .venv/bin
FIRSTLIGHT := $(BIN)/firstlight

.PHONY: run test test-large test-lessons digits lines line-reader line-finder benchmarks check check-page clean
run: .venv/$(EXTRA)
	$(FIRSTLIGHT) first-graph
	$(FIRSTLIGHT) evaluate "$$(ls -td runs/first-graph-mnist-* | head -n 1)"
	$(FIRSTLIGHT) train convnet
	$(FIRSTLIGHT) evaluate "$$(ls -td runs/convnet-mnist-* | head -n 1)"
	$(FIRSTLIGHT) graph first-graph
	@echo "Look at the pictures: runs/*/figures/*.png and runs/graph-first-graph/*.svg"

# Two processes, each with whole files. -rs counts the skipped tests at the end and says why: those
# of the page need chromium.
test: .venv/dev
	$(BIN)/pytest -rs -m "not large and not lessons" -n 2 --dist loadfile

test-large: .venv/dev
	$(BIN)/pytest -m large

# Every chapter of the series in a notebook, in Python's shell and as a file: minutes.
test-lessons: .venv/dev
	$(BIN)/pytest -m lessons

# The network that reads pictures: some ten minutes on two cores, mostly training.
digits: .venv/dev
	rm -rf runs/reader
	$(FIRSTLIGHT) train convnet --recipe reader --data cutouts --out runs/reader
	$(FIRSTLIGHT) evaluate runs/reader --data mnist
	$(FIRSTLIGHT) export runs/reader --format onnx --out src/firstlight/reading/digits.onnx
	sed 's|`model/weights.npz`, as arrays by name|`digits.onnx`|' runs/reader/MODEL_CARD.md > src/firstlight/reading/digits.md

# The networks that find and read lines: some two hours on two cores, both at the same time, since a
# second core makes the finder's training no faster. It continues where it stopped.
lines: .venv/dev
	$(MAKE) --jobs 2 line-reader line-finder

line-reader: .venv/dev
	$(BIN)/python -m firstlight.training.lines reader --steps 36000 --out runs/lines
	$(BIN)/python -m firstlight.exports.lines reader runs/lines src/firstlight/reading/lines.onnx

line-finder: .venv/dev
	$(BIN)/python -m firstlight.training.lines finder --steps 8000 --out runs/finder
	$(BIN)/python -m firstlight.exports.lines finder runs/finder src/firstlight/reading/finder.onnx

# Every benchmark that needs no other data, one after the other: hours. It continues where it was
# stopped. `make benchmarks DATA="--pictures DIR --real DIR --foreign DIR"` runs the others too.
benchmarks: .venv/dev
	$(BIN)/python benchmarks/suite.py $(DATA)

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The page's JavaScript and CSS; needs npm, which fetches the linter.
check-page:
	npx --yes @biomejs/biome@2.6.8 ci --error-on-warnings

clean:
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache

# The stamp says which extra is installed; a changed pyproject.toml installs anew.
.venv/train .venv/gpu: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$(@F)]'
	touch $@

.venv/dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	touch $@ .venv/train
