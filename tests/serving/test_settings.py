"""Settings: which source wins, every problem at once, and no secret in any of them."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.settings import BadSettings, Settings, load_settings, settings_table

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
HOOK = "https://penerima.example/disposisi"


def secret_of(length: int) -> str:
    return f"whsec_{base64.b64encode(bytes(range(length))).decode()}"


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("DISPOSISI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def problems(file: Path | None = None, **given: object) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as caught:
        load_settings(file, **given)
    return caught.value.problems


def test_without_any_setting_the_defaults_serve_this_machine_only() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.bundle == Path("var/bundles/default")
    assert settings.webhook_url is None


def test_the_command_line_beats_the_environment_which_beats_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('port = 1\nworkers = 2\nhost = "::1"\nkeep_retention = false\n')
    monkeypatch.setenv("DISPOSISI_PORT", "3")
    monkeypatch.setenv("DISPOSISI_WORKERS", "4")
    settings = load_settings(file, port=5)
    assert (settings.port, settings.workers, settings.host, settings.keep_retention) == (5, 4, "::1", False)


def test_a_variable_can_name_the_file_and_the_command_line_another(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port = 1\n")
    other = file.with_name("other.toml")
    other.write_text("port = 2\n")
    monkeypatch.setenv("DISPOSISI_SETTINGS", str(file))
    assert load_settings().port == 1
    assert load_settings(other).port == 2


def test_what_the_command_line_leaves_open_or_a_variable_leaves_empty_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISPOSISI_WEBHOOK_URL", "")
    monkeypatch.setenv("DISPOSISI_SETTINGS", "")
    monkeypatch.setenv("DISPOSISI_PORT", "9000")
    settings = load_settings(port=None, webhook_url=None)
    assert settings.webhook_url is None
    assert settings.port == 9000


def test_every_problem_is_told_at_once_with_name_value_and_what_is_expected(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("workers = 0\nhost = 7\n")
    monkeypatch.setenv("DISPOSISI_PORT", "80000")
    monkeypatch.setenv("DISPOSISI_SECURE_COOKIES", "maybe")
    told = problems(file, log_format="xml")
    assert set(told) == {
        f"workers in {file} is 0; expected a whole number from 1 to 64. Correct it, or leave it out for 1.",
        f"host in {file} is 7; expected an IP address or a name of this machine. "
        "Correct it, or leave it out for 127.0.0.1.",
        "DISPOSISI_PORT is '80000'; expected a whole number from 0 to 65535. Correct it, or leave it out for 8000.",
        "DISPOSISI_SECURE_COOKIES is 'maybe'; expected true or false. Correct it, or leave it out for false.",
        "--log-format is 'xml'; expected json or text. Correct it, or leave it out for json.",
    }


def test_the_message_has_a_line_for_each_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPOSISI_PORT", "x")
    with pytest.raises(BadSettings) as caught:
        load_settings(workers=65)
    lines = str(caught.value).splitlines()
    assert lines == ["2 problems in the settings:", *(f"  {problem}" for problem in caught.value.problems)]


def test_a_misspelt_variable_or_key_is_an_error_that_names_the_near_ones(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("prot = 1\n[limits]\nbody = 2\n")
    monkeypatch.setenv("DISPOSISI_WORKER", "2")
    variable, key, table = problems(file)
    assert variable == "DISPOSISI_WORKER is no setting; expected DISPOSISI_WORKERS. Correct it, or take it out."
    assert key.startswith(f"prot in {file} is no setting; expected port")
    assert table.startswith(f"limits in {file} is no setting; expected bundle or region or")


def test_an_option_that_is_no_setting_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="colour"):
        load_settings(colour="red")


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if field.annotation is int])
def test_a_number_has_bounds_and_is_no_truth_value(name: str) -> None:
    assert problems(**{name: -1})
    assert problems(**{name: 10**9})
    assert problems(**{name: 1.5})
    assert problems(**{name: True})


@pytest.mark.parametrize("url", [HOOK, "http://127.0.0.1:9000/kait", "http://localhost/kait", "http://[::1]:9000/"])
def test_events_go_to_https_or_to_this_machine(url: str) -> None:
    assert load_settings(webhook_url=url, webhook_secret=secret_of(24)).webhook_url is not None


@pytest.mark.parametrize(
    "url", ["http://penerima.example/", "http://10.0.0.8/", "http://localhost.example/", "ftp://127.0.0.1/", "kait"]
)
def test_events_never_go_elsewhere(url: str) -> None:
    (told,) = problems(webhook_url=url, webhook_secret=secret_of(24))
    assert told.startswith("--webhook-url won't do")
    assert url not in told


def test_the_address_and_the_secret_of_events_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    (told,) = problems(webhook_url=HOOK)
    assert told.startswith("DISPOSISI_WEBHOOK_SECRET is missing, but webhook_url is set")
    (told,) = problems(webhook_secret=secret_of(24))
    assert told.startswith("--webhook-secret is set, but webhook_url is not")
    assert len(problems(webhook_url="ftp://x/")) == 2


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_webhook_secret_has_24_to_64_bytes(length: int) -> None:
    settings = load_settings(webhook_url=HOOK, webhook_secret=secret_of(length))
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == secret_of(length)


@pytest.mark.parametrize(
    "secret", [secret_of(23), secret_of(65), secret_of(32)[6:], "whsec_", "whsec_rahasia!", "whsec_kunci-rahasiaé"]
)
def test_any_other_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings(webhook_url=HOOK, webhook_secret=secret)
    assert secret.removeprefix("whsec_") not in str(caught.value).replace("whsec_ and", "") or secret == "whsec_"


def test_no_secret_is_in_any_problem_nor_in_what_led_to_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('database = ["postgresql://disposisi:kunciku@db/kasus"]\nwebhook_secrt = "kunciku"\n')
    monkeypatch.setenv("DISPOSISI_WEBHOOK_SECRET", "kunciku")
    monkeypatch.setenv("DISPOSISI_WEBHOK_SECRET", "kunciku")
    monkeypatch.setenv("DISPOSISI_WEBHOOK_URL", "ftp://kunciku@penerima.example/?kunci=kunciku")
    with pytest.raises(BadSettings) as caught:
        load_settings(file)
    assert len(caught.value.problems) == 5
    assert "kunciku" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_settings_can_be_printed_without_their_secrets() -> None:
    settings = load_settings(
        database="postgresql://disposisi:kunciku@db/kasus",
        webhook_url=f"{HOOK}?k=kunciku",
        webhook_secret=secret_of(24),
    )
    for printed in (repr(settings), str(settings)):
        assert "kunciku" not in printed
        assert secret_of(24)[6:] not in printed


def test_a_file_that_cannot_be_read_is_told_beside_the_other_problems(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPOSISI_PORT", "x")
    missing, port = problems(file)
    assert missing.startswith(f"{file} is no file.")
    assert port.startswith("DISPOSISI_PORT is 'x'")
    assert problems(file.parent)[0].startswith(f"{file.parent} is no file.")
    file.write_text("port: 8000\n")
    assert problems(file)[0].startswith(f"{file} is not TOML: ")
    file.write_bytes(b'host = "\xff"\n')
    assert problems(file)[0].startswith(f"{file} is not UTF-8")


def test_settings_never_change() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_the_table_tells_each_setting_with_its_default_and_what_is_expected() -> None:
    table = settings_table()
    assert len(table) == len(Settings.model_fields)
    assert (
        "DISPOSISI_PORT",
        "8000",
        "Port to listen on; 0 takes a free one (a whole number from 0 to 65535).",
    ) in table


def test_the_operations_page_has_every_setting_as_it_is() -> None:
    page = OPERATIONS.read_text(encoding="utf-8").splitlines()
    rows = [
        f"| `{variable}` | {default if default == 'none' else f'`{default}`'} | {description} |"
        for variable, default, description in settings_table()
    ]
    missing = [row for row in rows if row not in page]
    assert not missing, "docs/operations.md lacks:\n" + "\n".join(missing)


@pytest.mark.parametrize("share", [-0.01, 1.01, "nan", "3 %", True])
def test_a_share_that_is_none_is_refused_with_what_is_expected(share: object) -> None:
    with pytest.raises(BadSettings) as refused:
        load_settings(blind_share=share, audit_share=share)
    for name in ("--blind-share", "--audit-share"):
        assert f"{name} is {share!r}; expected a number from 0 to 1." in str(refused.value)


def test_checks_may_be_left_out_or_be_made_of_every_case() -> None:
    settings = load_settings(blind_share=0, audit_share="1")
    assert (settings.blind_share, settings.audit_share) == (0.0, 1.0)
