# make demo   the whole way once: train, serve, a dozen complaints, a table
# make test   what is checked before anything goes on
# make thorough   what takes long beside it
# make serve  stays up at http://127.0.0.1:8000
PYTHON ?= python3
BUNDLE := var/bundles/default
SAMPLES := data/samples/kab-tangerang.csv
BIN := .venv/bin
# As root, or with sudo if it needs no password; else the step says what is missing.
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n) env DEBIAN_FRONTEND=noninteractive apt-get -q

.PHONY: demo test thorough serve bundle browser lock clean

demo: bundle
	$(BIN)/python -m serving.demo --bundle $(BUNDLE)

serve: bundle
	$(BIN)/disposisi serve --bundle $(BUNDLE)

test: .venv/dev browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not thorough"

thorough: .venv/dev browser
	$(BIN)/python -m pytest -n 2 --dist loadfile -m thorough

bundle: .venv/ready $(BUNDLE)/manifest.json

# Only if there is none: a bundle that somebody trained into this place is never overwritten.
$(BUNDLE)/manifest.json: | .venv/ready
	$(BIN)/disposisi train $(SAMPLES) --region kab-tangerang --into $(BUNDLE)

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { $(APT) update && $(APT) -y install python3-venv; } || \
	  { echo "Python's venv is missing; as root: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --no-compile --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: .venv/ready requirements-dev.lock
	$(BIN)/pip install -q --no-compile --disable-pip-version-check --no-deps -r requirements-dev.lock
	touch $@

# The desk's tests drive a real browser; Playwright's driver needs libatomic. Without the right to install them these
# tests are skipped, and say so.
browser:
	@dpkg -s chromium libatomic1 >/dev/null 2>&1 || { $(APT) update && $(APT) -y install chromium libatomic1; } || \
	  echo "No chromium: the tests in a browser will be skipped."

# After a change of dependencies in pyproject.toml (uv: pip install uv).
lock:
	uv pip compile -q --no-annotate --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	  --extra build -o requirements.lock pyproject.toml
	uv pip compile -q --no-annotate --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	  --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv var dist
