# The commands of the documents, and what developers run besides.
PYTHON ?= python3
BIN := .venv/bin
PROFILES := paper

.PHONY: help repro paper test docs forget browser lint format clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

repro: .venv/.installed  ## Run the whole pipeline, print the metrics and where the report is
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@cat reports/tables/performance.md
	@echo "report: $(CURDIR)/reports/index.html"

# Features come first: what is wrong with raw files shows before anything trains, and the estimate measures with them.
paper: .venv/.installed  ## Run the paper's whole experiment on real files (docs/paper.md); SET='-S KEY=VALUE ...' changes it
	@PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH; set -e; \
	  python -m stages.profile $(PROFILES) $(SET); \
	  dvc repro reference; \
	  python -m stages.estimate; \
	  dvc repro
	@echo "report: $(CURDIR)/reports/index.html"
	@cd reports/tables; test ! -f paper.csv || echo "the paper's tables: $$PWD/paper.csv"

test: .venv/.installed  ## Run the tests
	@$(BIN)/python -m pytest

docs: .venv/.installed  ## Build pages of all documents
	@$(BIN)/sphinx-build -q -E -W --keep-going -c docs/site . site
	@echo "pages: $(CURDIR)/site/index.html"

forget: .venv/.installed  ## Remove all that was made of a dataset: make forget DATASET=mimic
	@$(BIN)/python -m stages.forget $(DATASET)

browser:  ## Install what the tests of the report's page drive Chromium with (Node.js is needed)
	@npm ci --prefix tests/browser --no-audit --no-fund

lint: .venv/.installed  ## Check lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.installed  ## Rewrite the code in the project's format, and params.yaml in DVC's
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -c "from dvc.utils.hydra import apply_overrides; apply_overrides('params.yaml', [])"

clean:  ## Remove the environment (data, results and DVC's cache stay)
	rm -rf .venv

# Exact versions come from the lock file; pip resolves torch's own CUDA wheels itself.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[workflow,test,docs]'
	@touch $@
