# Two commands do all the set-up: `make demo` and `make test`. Both need Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: demo test browser bench lint clean

demo: $(VENV)/demo-installed
	$(BIN)/baryon train experiment=hep_demo

test: $(VENV)/test-installed browser
	$(BIN)/python -m pytest --numprocesses=2

# The report's test wants a Chromium. It is put in only on a CI machine that lets us; elsewhere
# the test takes the one that is there, or says that it was skipped.
browser:
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && ! command -v chromium >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; fi

bench: $(VENV)/test-installed
	$(BIN)/python benchmarks/run_all.py

lint: $(VENV)/test-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/demo-installed: pyproject.toml constraints.txt
	$(MAKE) --no-print-directory $(BIN)/python
	@echo "installing Baryon and its libraries into $(VENV) (minutes the first time)"
	$(INSTALL) --editable .
	@touch $@

$(VENV)/test-installed: pyproject.toml constraints.txt
	$(MAKE) --no-print-directory $(BIN)/python
	@echo "installing Baryon and what its tests need into $(VENV) (minutes the first time)"
	$(INSTALL) --editable '.[hep-sim,test]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python {v[0]}.{v[1]} is not supported: use 3.11 to 3.13 (make PYTHON=...)" if not (3, 11) <= v < (3, 14) else 0)'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
