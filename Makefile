# In the order of a first day: set up, check (as .ci/run does), tidy, renew the pins, use, sweep.
# Run it inside a virtual environment of Python 3.11 to 3.14.
.PHONY: install test lint types layers format constraints run clean

install: ; pip install -c constraints.txt -e ".[test,lint]"
test: ; pytest
lint: ; ruff check . && ruff format --check .
types: ; mypy
layers: ; lint-imports
format: ; ruff check --fix . ; ruff format .
constraints: ; rm -rf build/pins && python3.11 -m venv build/pins && build/pins/bin/pip install ".[test,lint,readstat,excel]" && { grep '^#' constraints.txt; build/pins/bin/pip freeze --exclude synthclin | sed 's/+cpu$$//' | grep -vE '^(nvidia|cuda|triton)'; } > build/constraints.txt && mv build/constraints.txt constraints.txt
run: ; synthclin run configs/heart_disease.yaml --overwrite
clean: ; rm -rf build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache && find . -name __pycache__ -type d -prune -exec rm -rf {} +
