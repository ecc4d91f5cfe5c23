# Two commands do all the set-up: `make demo` and `make test`. Both need Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: demo demo-climate demo-hybrid test test-extended chaos packages docs bench lint clean

demo: $(VENV)/demo-installed
	$(BIN)/baryon train experiment=hep_demo

# Makes the frames once; what is there is not made again.
demo-climate: $(VENV)/climate-installed climate_synthetic/generation.json
	$(BIN)/baryon train experiment=climate_demo
	@echo "map: $$(readlink -f runs/latest)/figures/maps.png"

climate_synthetic/generation.json:
	$(BIN)/baryon data generate dataset=climate_extreme_weather generate.out=climate_synthetic \
	  generate.years=1979-1992 generate.frames=80 generate.height=96

demo-hybrid: $(VENV)/mpi-installed
	$(BIN)/baryon launch ranks=6 train experiment=hep_demo comm=hybrid comm.groups=2 comm.servers=2

test: $(VENV)/test-installed packages
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=10

# Before a release: with the further cases that are too dear for each run.
test-extended: $(VENV)/test-installed packages
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=10 --extended

# The faults of many runs: processes are killed at random times, none may be lost or hang.
chaos: $(VENV)/test-installed
	BARYON_CHAOS_RUNS=20 $(BIN)/python -m pytest -m chaos

# Some tests want a Chromium, others a Slurm or zsh. They are put in only on a CI machine that lets us;
# elsewhere these tests take what is there, or say that they were skipped.
PACKAGES := chromium slurm-wlm munge libpmix-dev zsh
packages:
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && ! (command -v chromium && command -v srun && command -v zsh) >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; fi

docs: $(VENV)/test-installed
	$(BIN)/mkdocs build --strict

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

$(VENV)/mpi-installed: pyproject.toml constraints.txt
	$(MAKE) --no-print-directory $(BIN)/python
	@echo "installing Baryon, its libraries and Open MPI into $(VENV) (minutes the first time)"
	$(INSTALL) --editable '.[mpi]'
	@touch $@

$(VENV)/climate-installed: pyproject.toml constraints.txt
	$(MAKE) --no-print-directory $(BIN)/python
	@echo "installing Baryon and what climate data needs into $(VENV) (minutes the first time)"
	$(INSTALL) --editable '.[climate]'
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
