"""What verdicts are called: their kinds, in the words of SP4N-LAPOR!, and their reasons, each one key at the desk."""

from __future__ import annotations

from enum import StrEnum

from serving.case import Kind


class Correction(StrEnum):
    """Why the disposition isn't what was suggested."""

    OTHER_MATTER = "other-matter"
    OTHER_AREA = "other-area"
    OTHER_GOVERNMENT = "other-government"
    OTHER_URGENCY = "other-urgency"
    AGREED_OTHERWISE = "agreed-otherwise"


class Archiving(StrEnum):
    """Why nobody needs to answer."""

    NO_COMPLAINT = "no-complaint"
    UNCLEAR = "unclear"
    ABUSIVE = "abusive"
    ALREADY_DONE = "already-done"
    WITHDRAWN = "withdrawn"


KIND_NAMES: dict[Kind, str] = {
    Kind.DISPOSE: "Disposisikan",
    Kind.ASK: "Tunda, minta kelengkapan",
    Kind.REFUSE: "Bukan wewenang",
    Kind.ARCHIVE: "Arsipkan",
    Kind.MERGE: "Gabungkan dengan laporan lain",
}
REASON_NAMES: dict[str, str] = {
    Correction.OTHER_MATTER: "Perkaranya lain",
    Correction.OTHER_AREA: "Wilayahnya lain",
    Correction.OTHER_GOVERNMENT: "Wewenang pemerintah lain",
    Correction.OTHER_URGENCY: "Urgensinya lain",
    Correction.AGREED_OTHERWISE: "Sudah ada kesepakatan antarinstansi",
    Archiving.NO_COMPLAINT: "Bukan laporan (salam, iklan, uji coba)",
    Archiving.UNCLEAR: "Tidak dapat dipahami",
    Archiving.ABUSIVE: "Berisi hinaan atau ujaran kebencian saja",
    Archiving.ALREADY_DONE: "Sudah diselesaikan",
    Archiving.WITHDRAWN: "Dicabut oleh pelapor",
}
