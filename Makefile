# The two commands of a developer: `make demo` tells the story, `make test` runs every test.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# GitHub's description of its API, which the tests hold against what is sent to it.
OPENAPI := node_modules/@octokit/openapi/package.json
WORKERS ?= 2

.PHONY: demo test lint benchmark clean

demo: $(READY)
	@$(VENV)/bin/python -m tests.demo

test: $(READY) $(OPENAPI)
	$(VENV)/bin/python -m pytest -q -n $(WORKERS)

# Lint, types and the import rule.
lint: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/lint-imports --no-cache

benchmark: $(READY)
	$(VENV)/bin/python -m tests.benchmarks.pipelines

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ci-toolkit needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "installing ci-toolkit and its development tools into $(VENV) …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(OPENAPI):
	@mkdir -p node_modules
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-package-lock --no-audit --no-fund @octokit/openapi@23; \
	else echo "npm is missing, so what is sent to GitHub is not checked; on Debian: apt install npm" >&2; fi

clean:
	rm -rf $(VENV) demo node_modules
