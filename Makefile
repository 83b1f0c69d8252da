# make run, make test, make check; CONTRIBUTING.md says more. Recipes end in exec, so that signals reach the program.

PYTHON ?= python3
PORT ?= 8003
ARGS ?=

PY := .venv/bin/python
APART := exec $(PY) -m chainpay.embedded.apart
INSTALL := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo 'chainpay: Python 3.11 or newer is needed as $(PYTHON); choose one: make PYTHON=python3.12' >&2; exit 1; }; \
	$(PYTHON) -I chainpay/embedded/install.py

export PORT
# Another project's Python settings are not ours.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE VIRTUAL_ENV DJANGO_SETTINGS_MODULE

.PHONY: run test screenshots check verify_books bench chaos schema lock clean install install-dev
.NOTPARALLEL:

run: install
	@exec $(PY) -m chainpay.embedded.run --stop-with-parent

test: install-dev
	@$(APART) test -- $(PY) -m pytest $(ARGS)

# The pictures of the documents, taken anew.
screenshots: install-dev
	@$(APART) test -- $(PY) -m pytest tests/browser/test_screenshots.py tests/browser/test_work_list.py tests/browser/test_closing.py --screenshots docs/screenshots $(ARGS)

check: install-dev
	@$(APART) check -- $(PY) -m chainpay.embedded.check

verify_books: install
	@exec $(PY) -m chainpay.embedded.manage verify_books $(ARGS)

chaos: install-dev
	@$(APART) chaos --durable -- $(PY) -m tests.chaos $(ARGS)

bench: install-dev
	@$(APART) bench --durable -- $(PY) -m bench $(ARGS)

# What the migrations make of guards and constraints, for verify_books to compare with: after each new migration.
schema: install-dev
	@$(APART) schema -- $(PY) manage.py schema_file

# Needs uv. Newer versions: make lock ARGS=--upgrade
lock:
	@uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes $(ARGS) requirements.in -o requirements.txt
	@uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes $(ARGS) requirements-dev.in -o requirements-dev.txt

# The environment and the caches; var/ holds data and stays.
clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

install:
	@$(INSTALL) requirements.txt

install-dev:
	@$(INSTALL) requirements-dev.txt
