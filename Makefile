# make demo   the whole way once: train, serve, a dozen complaints, a table
# make test   everything that is checked
# make serve  stays up at http://127.0.0.1:8000
PYTHON ?= python3
BUNDLE := var/bundles/default
SAMPLES := data/samples/kab-tangerang.csv
BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: demo test serve bundle browser lock clean

demo: bundle
	$(BIN)/python -m serving.demo --bundle $(BUNDLE)

serve: bundle
	$(BIN)/disposisi serve --bundle $(BUNDLE)

test: .venv/dev browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bundle: .venv/ready $(BUNDLE)/manifest.json

$(BUNDLE)/manifest.json: $(SAMPLES) | .venv/ready
	$(BIN)/disposisi train $(SAMPLES) --region kab-tangerang --into $(BUNDLE) --replace

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { $(SUDO) apt-get -q update && $(SUDO) apt-get -qy install python3-venv; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/ready requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -r requirements-dev.lock
	touch $@

# The desk's tests drive a real browser. Without the right to install one they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || { $(SUDO) apt-get -q update && $(SUDO) apt-get -qy install chromium; } || \
	  echo "No chromium: the tests in a browser will be skipped."

# After a change of dependencies in pyproject.toml (uv: pip install uv).
lock:
	uv pip compile -q --no-annotate --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	  --extra build -o requirements.lock pyproject.toml
	uv pip compile -q --no-annotate --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	  --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv var dist
