"""The registry: what was decided stays decided, and whatever happens it opens and names a whole champion."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from data.errors import BundleError, CannotWrite
from model.bundle import SECTOR, Bundle, _checksum, load_bundle
from model.features import Vocabulary
from model.heads import Head
from model.record import Record
from model.registry import PromotionRefused, Registry, RegistryBusy, RegistryError, find_bundle, open_registry
from model.registry_check import differences
from model.text import ALL_STEPS, REQUIRED_STEPS

WHY = "lebih baik pada laporan Februari"


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three words and two sectors: the registry looks into none."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    vocabulary = Vocabulary(words=("jalan", "rusak", "sampah"), chars=(), regions=())
    head = Head(SECTOR, ("environment", "public-works"), np.ones((3, 2), dtype=np.float32), np.zeros(2), 1.0)
    about = {"region": "kab-tangerang", "rows": {"count": 3}, "recipe": {"name": "default"}}
    seen, steps = np.zeros(0, dtype=np.uint64), tuple(name for name in ALL_STEPS if name in REQUIRED_STEPS)
    Bundle(vocabulary, np.ones(3), {SECTOR: head}, seen, steps, about=about).save(folder)
    return folder


@pytest.fixture
def registry(tiny_bundle: Path, tmp_path: Path) -> Registry:
    """Two versions of the same bundle; the first is the champion, the second the challenger."""
    made = Registry(tmp_path / "registry")
    made.register(tiny_bundle, "siti", "yang pertama")
    made.promote("1", "siti", "yang pertama")
    made.register(tiny_bundle, "siti", "baris Januari")
    return made


def compare(registry: Registry, *refusals: str) -> None:
    registry.note_comparison(1, 2, "siti", {"rows": 300, "refusals": list(refusals)})


def test_a_registered_bundle_is_the_challenger_and_carries_its_lineage(registry: Registry, tiny_bundle: Path) -> None:
    assert (registry.alias("champion"), registry.alias("challenger")) == (1, 2)
    facts, about = registry.versions[2].facts, load_bundle(tiny_bundle).about
    assert (facts["rows"], facts["recipe"], facts["parent"]) == (about["rows"], about["recipe"], 1)
    assert load_bundle(registry.bundle_folder("challenger")).version == load_bundle(tiny_bundle).version
    assert differences(registry) == []


def test_the_first_champion_needs_only_to_be_whole(tiny_bundle: Path, tmp_path: Path) -> None:
    made = Registry(tmp_path / "registry")
    made.register(tiny_bundle, "siti")
    _spoil(made.bundle_folder("1") / "idf.npy")
    with pytest.raises(RegistryError, match=r"Version 1 can't answer: .*idf\.npy was changed"):
        made.promote("1", "siti", WHY)
    assert made.alias("champion") is None


def test_a_version_that_was_not_compared_is_not_promoted(registry: Registry) -> None:
    with pytest.raises(PromotionRefused, match="not compared with the champion 1"):
        registry.promote("2", "siti", WHY)


def test_a_refusal_names_the_figures_and_the_last_comparison_counts(registry: Registry) -> None:
    compare(registry, "recall: health: 0.900 -> 0.500")
    with pytest.raises(PromotionRefused, match="recall: health"):
        registry.promote("2", "siti", WHY)
    compare(registry)
    assert registry.promote("challenger", "siti", WHY) == 2
    assert (registry.alias("champion"), registry.alias("challenger")) == (2, None)


def test_the_gate_is_overridden_by_a_written_reason_only_which_stays(registry: Registry) -> None:
    compare(registry, "accuracy: 0.900 -> 0.800")
    with pytest.raises(RegistryError, match="4 words"):
        registry.promote("2", "siti", WHY, override="ya")
    registry.promote("2", "siti", WHY, override="dinas digabung, sektor lama dihapus")
    kept = registry.record.entries()[-1].facts
    assert kept["override"] == "dinas digabung, sektor lama dihapus"
    assert kept["refusals"] == ["accuracy: 0.900 -> 0.800"]


def test_a_comparison_with_an_earlier_champion_does_not_count(registry: Registry, tiny_bundle: Path) -> None:
    compare(registry)
    assert registry.register(tiny_bundle, "siti") == 3
    registry.promote("3", "siti", WHY, override="percobaan satu hari saja")
    with pytest.raises(PromotionRefused, match="not compared with the champion 3"):
        registry.promote("2", "siti", WHY)


def test_a_refusal_is_lifted_only_by_as_many_rows_of_the_same_region(registry: Registry) -> None:
    def note(rows: int, region: str, *refusals: str) -> None:
        facts = {"rows": rows, "region": region, "refusals": list(refusals)}
        registry.note_comparison(1, 2, "siti", facts)

    note(2000, "kab-tangerang", "accuracy: 0.900 -> 0.800")
    note(25, "kab-tangerang")
    note(3000, "kota-surabaya")
    with pytest.raises(PromotionRefused, match="accuracy"):
        registry.promote("2", "siti", WHY)
    note(2000, "kab-tangerang")
    assert registry.promote("2", "siti", WHY) == 2


def test_what_was_rolled_back_is_compared_anew(registry: Registry) -> None:
    compare(registry)
    registry.promote("2", "siti", WHY)
    registry.rollback("siti", "salah kirim")
    with pytest.raises(PromotionRefused, match="not compared with the champion 1"):
        registry.promote("2", "siti", WHY)
    compare(registry)
    assert registry.promote("2", "siti", WHY) == 2


def test_a_record_changed_by_hand_is_not_built_on(registry: Registry) -> None:
    compare(registry, "accuracy: 0.900 -> 0.800")
    path = registry.folder / "record.jsonl"
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace("siti", "budi", 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RegistryError, match="changed the record by hand"):
        registry.promote("2", "siti", WHY, override="percobaan satu hari saja")
    assert registry.alias("champion") == 1


def test_what_lies_beside_a_bundle_is_not_registered(registry: Registry, tiny_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "catatan").mkdir()
    number = registry.register(folder, "siti")
    assert registry.problems_of(number) == []


def test_rollback_goes_back_one_champion_at_a_time(registry: Registry, tiny_bundle: Path) -> None:
    compare(registry)
    registry.promote("2", "siti", WHY)
    registry.register(tiny_bundle, "siti")
    registry.promote("3", "siti", WHY, override="percobaan satu hari saja")
    assert [registry.rollback("budi", "salah kirim"), registry.rollback("budi", "salah kirim")] == [2, 1]
    with pytest.raises(RegistryError, match="no earlier champion"):
        registry.rollback("budi", "salah kirim")
    assert [entry.by for entry in registry.record.entries()][-2:] == ["budi", "budi"]
    assert differences(registry) == []


def test_who_says_instead_of_which_goes_back_only_once(registry: Registry) -> None:
    registry.promote("2", "siti", WHY, override="percobaan satu hari saja")
    assert registry.rollback("budi", "salah kirim", "2") == 1
    before = len(registry.record.entries())
    with pytest.raises(RegistryBusy, match="The champion is 1 by now, not 2"):
        registry.rollback("siti", "salah kirim", "2")
    assert (registry.alias("champion"), len(registry.record.entries())) == (1, before)


def test_rollback_to_a_spoilt_version_is_refused(registry: Registry) -> None:
    compare(registry)
    registry.promote("2", "siti", WHY)
    (registry.bundle_folder("1") / "stems.json").unlink()
    with pytest.raises(RegistryError, match=r"stems\.json is missing"):
        registry.rollback("budi", "salah kirim")
    assert registry.alias("champion") == 2


@pytest.mark.parametrize(("by", "reason"), [("", WHY), (" ", WHY), ("siti", " "), ("si\nti", WHY), ("s" * 101, WHY)])
def test_who_and_why_are_asked_for(registry: Registry, by: str, reason: str) -> None:
    with pytest.raises(RegistryError, match="must"):
        registry.promote("2", by, reason)


@pytest.mark.parametrize("which", ["3", "0", "-1", "../1", "champion2", "", "١"])
def test_a_version_that_is_not_there_is_told_with_those_that_are(registry: Registry, which: str) -> None:
    with pytest.raises(RegistryError, match=r"no version .* Known: 1, 2"):
        registry.number(which)


def test_a_place_is_a_bundle_a_registry_or_an_alias_of_it(registry: Registry, tiny_bundle: Path) -> None:
    assert find_bundle(tiny_bundle) == tiny_bundle
    assert find_bundle(registry.folder) == registry.folder / "versions" / "1"
    assert find_bundle(Path(f"{registry.folder}@challenger")) == registry.folder / "versions" / "2"
    with pytest.raises(RegistryError, match="no version 'juara'"):
        find_bundle(Path(f"{registry.folder}@juara"))
    assert find_bundle(tiny_bundle.with_name("x@champion")) == tiny_bundle.with_name("x@champion")


def test_of_two_people_at_once_the_second_is_told(registry: Registry) -> None:
    compare(registry)
    with (registry.folder / ".lock").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(RegistryBusy, match="Somebody else"):
            registry.promote("2", "budi", WHY)
    registry.promote("2", "budi", WHY)
    with pytest.raises(RegistryError, match="champion already"):
        registry.promote("2", "siti", WHY)


def test_a_folder_of_other_things_is_left_alone(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "surat.txt").write_text("penting")
    with pytest.raises(RegistryError, match="other things"):
        Registry(tmp_path).register(tiny_bundle, "siti")
    assert [path.name for path in tmp_path.iterdir()] == ["surat.txt"]
    with pytest.raises(RegistryError, match="no registry"):
        open_registry(tmp_path)


# A folder that somebody edited by hand


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def _another_bundle(folder: Path) -> None:
    """The same bundle, but with a manifest that was signed anew."""
    path = folder / "versions" / "2" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | {"created_at": "2031-01-01T00:00:00+00:00"}
    manifest["checksum"] = _checksum(manifest)
    path.chmod(0o644)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def _changed_line(folder: Path) -> None:
    record = folder / "record.jsonl"
    record.write_text(record.read_text(encoding="utf-8").replace("yang pertama", "yang kedua", 1), encoding="utf-8")


def _lost_line(folder: Path) -> None:
    record = folder / "record.jsonl"
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    record.write_text("".join([lines[0], *lines[2:]]), encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda folder: shutil.rmtree(folder / "versions" / "2"), "version 2 is missing"),
        (lambda folder: _spoil(folder / "versions" / "2" / "idf.npy"), "idf.npy was changed"),
        (lambda folder: (folder / "versions" / "2" / "catatan.txt").write_text("x"), "isn't its own: catatan.txt"),
        (lambda folder: (folder / "versions" / "1" / "manifest.json").write_text("{"), "version 1: its manifest.json"),
        (_another_bundle, "version 2 is another bundle"),
        (lambda folder: shutil.copytree(folder / "versions" / "1", folder / "versions" / "9"), "versions/9 is not in"),
        (lambda folder: (folder / "versions" / "baru").mkdir(), "versions/baru is not in the record"),
        (lambda folder: (folder / "salinan.txt").write_text("x"), "salinan.txt doesn't belong here"),
        (
            lambda folder: (folder / "champion").write_text("7\n"),
            "champion names version 7, which is not in the record",
        ),
        (lambda folder: (folder / "champion").write_text("dua\n"), "holds no version's number"),
        (lambda folder: (folder / "champion").write_text("2\n"), "the alias champion says 2, the record 1"),
        (lambda folder: (folder / "champion").unlink(), "the alias champion says nothing, the record 1"),
        (_changed_line, "line 2 of the record doesn't follow"),
        (_lost_line, "line 2 of the record doesn't follow"),
        (lambda folder: (folder / "record.jsonl").write_text("[]\n"), "Line 1 of the record"),
    ],
)
def test_what_was_edited_by_hand_is_told(registry: Registry, edit: Callable[[Path], object], told: str) -> None:
    edit(registry.folder)
    assert any(told in each for each in differences(registry)), differences(registry)


def test_all_differences_are_told_at_once(registry: Registry) -> None:
    _spoil(registry.folder / "versions" / "1" / "idf.npy")
    (registry.folder / "versions" / "2" / "stems.json").unlink()
    (registry.folder / "champion").write_text("2\n")
    (registry.folder / "x").touch()
    assert len(differences(registry)) == 4


def test_an_alias_changed_by_hand_stops_every_change_until_it_is_put_back(registry: Registry) -> None:
    compare(registry)
    (registry.folder / "champion").write_text("2\n")
    with pytest.raises(RegistryError, match="somebody changed it by hand"):
        registry.promote("2", "siti", WHY)
    (registry.folder / "champion").write_text("1\n")
    assert registry.promote("2", "siti", WHY) == 2


# Crashes and full disks


def test_a_cut_off_line_never_counted(registry: Registry) -> None:
    compare(registry)
    whole = (registry.folder / "record.jsonl").read_bytes()
    (registry.folder / "record.jsonl").write_bytes(whole + b'{"action": "promote", "version": 2, "by')
    assert len(registry.record.entries()) == 4
    assert registry.promote("2", "siti", WHY) == 2
    assert differences(registry) == []


def test_what_the_record_says_last_is_carried_out_by_the_next_change(registry: Registry, tiny_bundle: Path) -> None:
    compare(registry)
    registry.promote("2", "siti", WHY)
    # As after a crash between the record and the aliases.
    (registry.folder / "champion").write_text("1\n")
    (registry.folder / "challenger").write_text("2\n")
    assert any("next change mends" in each for each in differences(registry))
    assert registry.register(tiny_bundle, "siti") == 3
    assert registry.alias("champion") == 2
    assert differences(registry) == []


def _work_for_ever(registry: Registry, bundle: Path) -> None:
    while True:
        number = registry.register(bundle, "siti", "putaran")
        registry.note_comparison(registry.alias("champion") or 0, number, "siti", {"rows": 1, "refusals": []})
        registry.promote(str(number), "siti", "putaran")
        registry.rollback("siti", "putaran")


def test_a_version_whose_bundle_is_not_yet_in_its_place_is_put_there_by_the_next_change(registry: Registry) -> None:
    shelf = registry.folder / "versions"
    (shelf / "2").rename(shelf / ".staged")
    (registry.folder / "challenger").unlink()
    assert [each.partition(";")[2] for each in differences(registry)] == [" the next change mends that"] * 2
    compare(registry)
    assert registry.alias("challenger") == 2
    assert differences(registry) == []


def test_being_stopped_between_record_and_rename_loses_no_bundle(
    registry: Registry, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Record, *_: object) -> None:
        append(self, *_)
        raise KeyboardInterrupt

    append = Record.append
    with monkeypatch.context() as patch:
        patch.setattr(Record, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            registry.register(tiny_bundle, "siti")
    assert registry.pending() == 3
    assert registry.register(tiny_bundle, "siti") == 4
    assert differences(registry) == []


def test_a_kill_at_any_moment_leaves_a_registry_that_opens_and_names_a_whole_champion(
    registry: Registry, tiny_bundle: Path
) -> None:
    moments = random.Random(8)
    for _ in range(15):
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                _work_for_ever(registry, tiny_bundle)
            os._exit(1)
        time.sleep(moments.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        # As a reader finds it, then as who changes it next does.
        load_bundle(find_bundle(registry.folder))
        assert all("mend" in each or "clears" in each for each in differences(registry)), differences(registry)
        champion = registry.alias("champion")
        registry.note_comparison(champion or 0, 2, "budi", {"rows": 1, "refusals": []})
        assert differences(registry) == []
    assert len(registry.record.entries()) > 20


def test_a_full_disk_in_the_middle_changes_nothing(registry: Registry, tiny_bundle: Path) -> None:
    compare(registry)
    before, past = _snapshot(registry.folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (registry.folder / "record.jsonl").stat().st_size
    for limit, act in (
        (1, lambda: registry.promote("2", "siti", WHY)),
        (size + 20, lambda: registry.promote("2", "siti", WHY)),
        (150, lambda: registry.register(tiny_bundle, "siti")),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, past[1]))
        try:
            with pytest.raises(CannotWrite):
                act()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, past)
        assert _snapshot(registry.folder) == before
    assert registry.promote("2", "siti", WHY) == 2


def test_a_small_disk_that_fills_up_changes_nothing(registry: Registry, tiny_bundle: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        small = Registry(disk / "registry")
        small.register(tiny_bundle, "siti")
        small.promote("1", "siti", WHY)
        before = {}

        def fill_up() -> None:
            for number in range(2, 50):
                before.update(_snapshot(small.folder))
                small.register(tiny_bundle, "siti")
                before.update(_snapshot(small.folder))
                small.promote(str(number), "siti", WHY, override="percobaan satu hari saja")

        with pytest.raises(CannotWrite, match="No space left"):
            fill_up()
        assert {**before, "challenger": b""} == {**_snapshot(small.folder), "challenger": b""}
        assert len(small.versions) > 1
        assert differences(small) == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_bundle_that_is_spoilt_is_not_registered(registry: Registry, tiny_bundle: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(tiny_bundle, spoilt)
    _spoil(spoilt / "idf.npy")
    before = _snapshot(registry.folder)
    with pytest.raises(BundleError, match="can't be trusted"):
        registry.register(spoilt, "siti")
    assert _snapshot(registry.folder) == before


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
