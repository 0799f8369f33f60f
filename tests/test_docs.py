"""Docs under test: every command, option, route and column they should name, and every command line they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import typer

import disposisi
from data.region import known_regions
from data.rows import HEADER_NAMES
from data.sectors import all_sectors
from model.batch import COLUMNS
from model.routing import REASON_TEXTS
from serving.api import Service, api_routes
from serving.desk import desk_routes
from serving.reasons import KIND_NAMES
from serving.signin import signin_routes

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md"))
}
ALL_TEXT = "\n".join(PAGES.values())


def commands(group: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


COMMANDS = dict(commands(typer.main.get_command(disposisi.app)))


def shown_lines() -> list[str]:
    """Every `disposisi ...` line in a code block, continued lines joined."""
    lines = []
    for page in PAGES.values():
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
            joined = block.replace("\\\n", " ")
            lines += [line.strip() for line in joined.splitlines() if line.strip().startswith("disposisi ")]
    return lines


@pytest.mark.parametrize("line", shown_lines())
def test_a_command_line_in_the_docs_can_be_parsed(line: str) -> None:
    words = shlex.split(line)[1:]
    name = next(name for name in COMMANDS if tuple(words[: len(name)]) == name)
    arguments = words[len(name) :]
    COMMANDS[name].make_context(" ".join(name), arguments, resilient_parsing=False)


def test_the_docs_show_command_lines() -> None:
    assert len(shown_lines()) >= 10


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_and_each_of_its_options_is_in_the_docs(name: tuple[str, ...]) -> None:
    assert f"disposisi {' '.join(name)}" in ALL_TEXT
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")]
    missing = [option for option in options if option not in ALL_TEXT and option != "--help"]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_has_a_worked_example_in_its_help(name: tuple[str, ...]) -> None:
    assert f"Example: disposisi {' '.join(name)}" in (COMMANDS[name].help or "").replace("\n", " ")


def test_every_route_is_in_the_docs() -> None:
    service = Service(triage=Mock(), models=Mock(), outbox=Mock(), metrics=Mock())
    made = (api_routes(service), desk_routes(Mock(), Mock()), signin_routes(Mock(), secure_cookies=False))
    routes = [route.path for each in made for route in each.routes]  # type: ignore[attr-defined]
    # A case is reached from the queue, and its forms from its page.
    told = [path for path in routes if path != "/" and not path.startswith("/kasus/{case_id}")]
    assert [path for path in told if path not in ALL_TEXT] == []


def test_every_kind_of_verdict_and_every_key_is_in_the_moderators_guide() -> None:
    guide = PAGES["docs/moderators.md"].casefold()
    assert [name for name in KIND_NAMES.values() if name.split(" dengan ")[0].casefold() not in guide] == []
    sheet = (ROOT / "serving/templates/shortcut_list.html").read_text(encoding="utf-8")
    keys = set(re.findall(r"<kbd>(.+?)</kbd>", sheet))
    assert keys
    assert [key for key in sorted(keys) if f"`{key.casefold()}`" not in guide] == []


def test_every_picture_in_the_docs_is_light_and_used() -> None:
    pictures = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs/pictures").glob("*.png")}
    shown = set(re.findall(r"!\[[^\]]+\]\((pictures/[^)]+)\)", PAGES["docs/moderators.md"]))
    assert shown == pictures
    assert [name for name in pictures if (ROOT / "docs" / name).stat().st_size > 150_000] == []


def test_every_column_of_a_prediction_is_in_the_data_staffs_guide() -> None:
    assert [column for column in COLUMNS if f"`{column}`" not in PAGES["docs/data-staff.md"]] == []


def test_every_row_column_of_ours_is_in_the_data_staffs_guide() -> None:
    ours = {"id", "text", "title", "location", "received_at", "agency", "sector", "area", "urgency", "jurisdiction"}
    ours |= {"complete", "region", "confidentiality", "label_source"}
    assert {name.replace("_", " ") for name in ours} <= HEADER_NAMES
    assert [name for name in sorted(ours) if f"`{name}`" not in PAGES["docs/data-staff.md"]] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page, text in PAGES.items():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target and not (ROOT / page).parent.joinpath(target).exists():
                broken.append(f"{page}: {target}")
    assert broken == []


def test_the_figures_of_counts_in_the_docs_hold() -> None:
    rows = len((ROOT / "data/samples/kab-tangerang.csv").read_text(encoding="utf-8").split("\ntng-")) - 1
    assert f"{rows:,} complaints" in PAGES["data/samples/README.md"]
    assert f"{len(all_sectors())} codes" in PAGES["data/samples/README.md"]
    assert len(known_regions()) == 3


def test_reasons_are_said_in_indonesian_sentences() -> None:
    assert all(text.endswith(".") and text[0].isupper() for text in REASON_TEXTS.values())


def test_no_page_names_a_registry_or_a_path_of_some_machine() -> None:
    forbidden = re.compile(r"py" + r"pi\.org|files\.python" + r"hosted|/home/|/root/")
    assert [page for page, text in PAGES.items() if forbidden.search(text)] == []


def test_locks_are_bare_lines_of_name_and_version() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
