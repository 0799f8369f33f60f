"""Peringatan: what watching has found, as the board tells it, with a note to the disaster office ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import expm1
from urllib.parse import quote

from data.region import known_regions, load_region
from model.drift import Signal
from serving.autonomy import share_text
from serving.incidents import Incident, read_incidents
from serving.shadow import Compared, compare_challengers
from serving.store import Store
from serving.watch import INCIDENT_SHOWN, Alarm, read_alarms
from serving.wording import clock, number, place_name, sector_name

DISASTER = "disaster"
SIGNAL_NAMES = {
    Signal.UNKNOWN: "Kata yang belum dikenal model",
    Signal.CONFIDENCE: "Peluang usulan",
    Signal.SECTORS: "Bidang: bagian yang berpindah",
    Signal.LENGTH: "Panjang laporan",
    Signal.LANGUAGE: "Laporan berbahasa daerah",
    Signal.BROKEN: "Laporan dengan huruf rusak",
    Signal.ACCURACY: "Ketepatan menurut pemeriksaan tanpa usulan",
}
WHAT_TO_DO = {
    Signal.UNKNOWN: "Ada istilah atau layanan baru. Beri label pada laporan terbaru, lalu latih model lagi.",
    Signal.CONFIDENCE: "Model kurang yakin dari biasanya. Periksa laporan terbaru: mungkin ada perkara baru.",
    Signal.SECTORS: "Susunan perkara berubah. Periksa apakah memang begitu, atau model keliru membaca.",
    Signal.LENGTH: "Panjang laporan berubah. Periksa apakah sistem penerima memotong atau menggabungkan teks.",
    Signal.LANGUAGE: "Bahasa laporan berubah. Periksa apakah model masih tepat untuk bahasa itu.",
    Signal.BROKEN: "Huruf rusak karena salah pengodean. Perbaiki ekspor atau sistem penerima.",
    Signal.ACCURACY: "Usulan lebih sering keliru dari yang dijanjikan. Latih model lagi.",
}
# Where it isn't more but less, or the other way round, the same change means something else.
_OTHER_WAY = {
    Signal.UNKNOWN: (
        "Kata yang belum dikenal lebih sedikit dari biasanya. Periksa apakah laporan berulang atau dibuat mesin."
    ),
    Signal.CONFIDENCE: (
        "Model lebih yakin dari biasanya. Periksa apakah sistem penerima menambah petunjuk, misalnya nama instansi."
    ),
    Signal.BROKEN: "Huruf rusak lebih sedikit dari biasanya: yang dipakai sebagai pembanding memuatnya.",
}


@dataclass(frozen=True)
class SignalView:
    """One signal, as usual and now; `what_to_do` is empty where there is no alarm."""

    name: str
    usual: str
    now: str
    since: str
    what_to_do: str
    is_alarm: bool


@dataclass(frozen=True)
class IncidentView:
    """An incident, the way to its first case, and the note to send."""

    name: str
    count: str
    times: str
    link: str
    note: str


@dataclass(frozen=True)
class ChallengerView:
    """A challenger in shadow beside the model at work: shares as people read them, each with what it is of."""

    version: str
    same: str
    count: str
    right: str
    challenger_right: str
    checked: str


@dataclass(frozen=True)
class WatchedView:
    """What watching has found in a region; `looked_at` is empty where it hasn't compared anything yet."""

    region: str
    looked_at: str
    signals: tuple[SignalView, ...]
    incidents: tuple[IncidentView, ...]
    challengers: tuple[ChallengerView, ...]


def watched_views(store: Store, regions: list[str], at: datetime) -> tuple[WatchedView, ...]:
    """What was found last in each region."""
    found = []
    with store.reading() as connection:
        for region in regions:
            signals = read_alarms(connection, region)
            incidents = read_incidents(connection, region, at - INCIDENT_SHOWN)
            looked_at = max((each.looked_at for each in signals), default=None)
            found.append(
                WatchedView(
                    region=place_name(region),
                    looked_at=clock(looked_at) if looked_at else "",
                    signals=tuple(map(_signal_view, signals)),
                    incidents=tuple(map(_incident_view, incidents)),
                    challengers=tuple(map(_challenger_view, compare_challengers(store, region))),
                )
            )
    return tuple(found)


def note_of(incident: Incident) -> str:
    """A note that tells the disaster office of an incident, without a word of any citizen."""
    region = load_region(incident.region) if incident.region in known_regions() else None
    office = region.agency_of_sector.get(DISASTER) if region else None
    place = f"di {_where(incident)}" if incident.place else "di satu tempat"
    until, matter = f"sampai {clock(incident.last_at)}", sector_name(incident.sector).lower()
    return (
        f"Yth. {office.name if office else 'BPBD'}. Sejak {clock(incident.started_at)} {until} masuk "
        f"{number(incident.count)} laporan serupa {place}, yang terbanyak tentang {matter}. "
        f"Laporan pertama bernomor {incident.parent}. Mohon diperiksa dan ditangani bila perlu. "
        f"Desk pengaduan {place_name(incident.region)}."
    )


def _where(incident: Incident) -> str:
    return f"Kecamatan {incident.place}"


def _incident_view(incident: Incident) -> IncidentView:
    return IncidentView(
        name=_where(incident) if incident.place else "Satu tempat",
        count=number(incident.count),
        times=f"{clock(incident.started_at)} sampai {clock(incident.last_at)}",
        link=f"/kasus/{quote(incident.parent)}",
        note=note_of(incident),
    )


def _challenger_view(found: Compared) -> ChallengerView:
    def of_checked(right: int) -> str:
        return share_text(right / found.checked if found.checked else None, 1)

    return ChallengerView(
        version=found.version,
        same=share_text(found.same / found.count, 1),
        count=number(found.count),
        right=of_checked(found.right),
        challenger_right=of_checked(found.challenger_right),
        checked=number(found.checked),
    )


def _signal_view(alarm: Alarm) -> SignalView:
    usual, now = (_figure(alarm.signal, value) for value in (alarm.usual, alarm.now))
    is_other_way = alarm.size > 0 if alarm.signal is Signal.CONFIDENCE else alarm.size < 0
    advice = (_OTHER_WAY if is_other_way else WHAT_TO_DO).get(alarm.signal, WHAT_TO_DO[alarm.signal])
    what_to_do = advice if alarm.is_on else ""
    return SignalView(SIGNAL_NAMES[alarm.signal], usual, now, clock(alarm.since), what_to_do, alarm.is_on)


def _figure(signal: Signal, value: float) -> str:
    """A signal's figure as people read it; the length is that of a text in the middle."""
    if signal is Signal.LENGTH:
        return f"{number(expm1(value))} kata"
    return share_text(value, 1)
