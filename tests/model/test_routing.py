"""Routing: to which agency, whether alone, and why not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from data.complaint import Complaint
from data.region import load_region
from data.sectors import DISTRICT_OFFICE, OTHER, VILLAGE_OFFICE, all_sectors
from model import routing
from model.areas import AreaFinder
from model.bundle import Bundle
from model.matters import TwoMatters
from model.prediction import Prediction, Ranked
from model.routing import ALTERNATIVES, REASON_TEXTS, Disposition, Outcome, Policy, Reason, Router, Routers, decide
from training.fitting import Training

REASON_CASES: list[tuple[Reason, str, dict[str, object]]] = [
    (Reason.CONFIDENT, "public-works", {}),
    (Reason.NOT_CONFIDENT, "public-works", {"probability": 0.6}),
    (Reason.NO_THRESHOLD, "public-works", {"threshold": None}),
    (Reason.UNREADABLE, "public-works", {"known_words": 0}),
    (Reason.AREA_UNKNOWN, DISTRICT_OFFICE, {"text": "pelayanan lambat"}),
    (Reason.AREA_UNKNOWN, VILLAGE_OFFICE, {"text": "pelayanan lambat"}),
    (Reason.AREA_AMBIGUOUS, DISTRICT_OFFICE, {"text": "kecamatan Curug atau kecamatan Legok"}),
    (Reason.AREA_AMBIGUOUS, VILLAGE_OFFICE, {"text": "desa Klebet atau kelurahan Sukabakti"}),
    (Reason.OTHER_GOVERNMENT, "energy", {}),
    (Reason.UNCLEAR_GOVERNMENT, "other", {}),
    (Reason.TWO_MATTERS, "public-works", {"more_doubts": [Reason.TWO_MATTERS]}),
    (Reason.AGENCY_OFF, "public-works", {"off": {"dbmsda"}}),
    (Reason.AGENCY_OFF, VILLAGE_OFFICE, {"text": "pelayanan Desa Klebet lambat", "off": {VILLAGE_OFFICE}}),
]
ROAD = "Jalan di Desa Klebet berlubang besar dan aspalnya mengelupas"
CLINIC = "obat di puskesmas Curug habis dan petugas loketnya kurang ramah"


@pytest.fixture(scope="module")
def finder() -> AreaFinder:
    return AreaFinder(load_region("kab-tangerang"))


def route(
    finder: AreaFinder,
    sector: str,
    probability: float = 0.97,
    text: str = "",
    *,
    threshold: float | None = 0.9,
    known_words: int = 5,
    more_doubts: Sequence[Reason] = (),
    off: Collection[str] = (),
) -> Disposition:
    """The disposition of a text whose likeliest sector is given."""
    others = [code for code in all_sectors() if code != sector]
    rest = [Ranked(code, (1 - probability) / len(others)) for code in others]
    prediction = Prediction((Ranked(sector, probability), *rest), known_words=known_words)
    return decide(prediction, finder.find(Complaint(text)), finder, threshold, more_doubts, off)


def test_every_reason_has_an_indonesian_text_of_its_own() -> None:
    assert set(REASON_TEXTS) == set(Reason)
    assert len(set(REASON_TEXTS.values())) == len(Reason)
    assert all(text.endswith(".") and len(text) > 20 for text in REASON_TEXTS.values())


@pytest.mark.parametrize(("reason", "sector", "settings"), REASON_CASES)
def test_each_reason_arises(finder: AreaFinder, reason: Reason, sector: str, settings: dict[str, object]) -> None:
    disposition = route(finder, sector, **settings)  # type: ignore[arg-type]
    assert disposition.reasons == (reason,)
    assert disposition.outcome is (Outcome.AUTO if reason is Reason.CONFIDENT else Outcome.REVIEW)


def test_no_reason_is_left_untried() -> None:
    assert {reason for reason, *_ in REASON_CASES} == set(Reason)


@pytest.mark.parametrize(
    ("probability", "outcome"),
    [(1.0, Outcome.AUTO), (0.9, Outcome.AUTO), (0.8999999, Outcome.REVIEW), (0.03, Outcome.REVIEW)],
)
def test_only_from_the_threshold_on_is_a_case_routed_alone(
    finder: AreaFinder, probability: float, outcome: Outcome
) -> None:
    assert route(finder, "health", probability).outcome is outcome


def test_doubts_of_the_model_and_of_the_place_are_both_told(finder: AreaFinder) -> None:
    assert route(finder, "energy", 0.5).reasons == (Reason.NOT_CONFIDENT, Reason.OTHER_GOVERNMENT)
    assert route(finder, VILLAGE_OFFICE, threshold=None).reasons == (Reason.NO_THRESHOLD, Reason.AREA_UNKNOWN)
    unreadable = route(finder, DISTRICT_OFFICE, 0.1, known_words=0)
    assert unreadable.reasons == (Reason.UNREADABLE, Reason.AREA_UNKNOWN)


def test_a_doubt_that_is_raised_twice_is_told_once(finder: AreaFinder) -> None:
    disposition = route(finder, "energy", more_doubts=[Reason.OTHER_GOVERNMENT, Reason.TWO_MATTERS])
    assert disposition.reasons == (Reason.OTHER_GOVERNMENT, Reason.TWO_MATTERS)


def test_an_unreadable_text_waits_however_sure_the_model_is(finder: AreaFinder) -> None:
    assert route(finder, "health", 1.0, known_words=0).outcome is Outcome.REVIEW


@pytest.mark.parametrize("code", ["kab-tangerang", "kab-bandung", "kota-surabaya"])
@pytest.mark.parametrize("sector", sorted(all_sectors()))
def test_a_sure_sector_goes_to_its_agency_alone_only_if_the_region_has_it(code: str, sector: str) -> None:
    region = load_region(code)
    disposition = route(AreaFinder(region), sector, 1.0)
    agency = disposition.choice.agency
    if sector in region.family_of_sector:
        assert agency is None
        assert disposition.reasons == (Reason.AREA_UNKNOWN,)
    else:
        assert agency is not None
        assert sector in agency.sectors
        local = agency.level == "local"
        assert disposition.outcome is (Outcome.AUTO if local else Outcome.REVIEW)
        doubt = Reason.UNCLEAR_GOVERNMENT if sector == OTHER else Reason.OTHER_GOVERNMENT
        assert disposition.reasons == ((Reason.CONFIDENT,) if local else (doubt,))


@pytest.mark.parametrize("sector", ["energy", "police", "land", "immigration", "religion"])
def test_central_agencies_are_suggested_but_a_person_looks_first(finder: AreaFinder, sector: str) -> None:
    disposition = route(finder, sector, 1.0)
    assert disposition.choice.agency is not None
    assert disposition.choice.agency.level == "central"
    assert disposition.outcome is Outcome.REVIEW


def test_an_area_office_is_routed_to_where_the_area_is_named(finder: AreaFinder) -> None:
    district = route(finder, DISTRICT_OFFICE, 1.0, "pelayanan di kecamatan Curug")
    assert district.choice.agency is not None
    assert (district.choice.agency.code, district.outcome) == ("district-office:36.03.17", Outcome.AUTO)
    village = route(finder, VILLAGE_OFFICE, 1.0, "lurah Sukabakti")
    assert village.choice.agency is not None
    assert (village.choice.agency.code, village.outcome) == ("village-office:36.03.17.1005", Outcome.AUTO)
    assert finder.region.all_agencies[village.choice.agency.code] == village.choice.agency


def test_one_kecamatan_named_is_not_several_areas_to_a_village_office(finder: AreaFinder) -> None:
    disposition = route(finder, VILLAGE_OFFICE, 1.0, "kantor desa di kecamatan Curug")
    assert disposition.outcome is Outcome.REVIEW
    assert disposition.reasons == (Reason.AREA_UNKNOWN,)


def test_other_sectors_carry_the_area_too(finder: AreaFinder) -> None:
    choice = route(finder, "public-works", 1.0, "jalan di desa Klebet").choice
    assert choice.area is not None
    assert choice.area.full_name == "Desa Klebet"
    assert choice.agency is not None
    assert choice.agency.code == "dbmsda"


def test_the_next_likeliest_sectors_are_the_alternatives_in_order(finder: AreaFinder) -> None:
    ranked = [("health", 0.5), ("energy", 0.3), (DISTRICT_OFFICE, 0.1), ("social", 0.06), ("land", 0.04)]
    prediction = Prediction(tuple(Ranked(*pair) for pair in ranked), known_words=3)
    disposition = decide(prediction, finder.find(Complaint("di kecamatan Curug")), finder, 0.9)
    assert len(disposition.alternatives) == ALTERNATIVES
    assert [(choice.sector, choice.probability) for choice in disposition.alternatives] == ranked[1:4]
    agencies = [choice.agency.code if choice.agency else None for choice in disposition.alternatives]
    assert agencies == ["pln", "district-office:36.03.17", "dinsos"]


def test_a_bundle_of_two_sectors_has_one_alternative(finder: AreaFinder) -> None:
    prediction = Prediction((Ranked("health", 0.9), Ranked("energy", 0.1)), known_words=3)
    assert [choice.sector for choice in decide(prediction, [], finder, None).alternatives] == ["energy"]


def test_a_router_takes_a_complaint_without_region_to_be_of_its_own(training: Training) -> None:
    router = Router(training.bundle, load_region("kab-tangerang"))
    text = "jalan rusak di kecamatan Curug"
    assert router.route(Complaint(text)) == router.route(Complaint(text, region="kab-tangerang"))
    [prediction] = training.bundle.predict([Complaint(text, region="kab-tangerang")])
    assert router.route(Complaint(text)).prediction == prediction


def with_thresholds(training: Training, thresholds: dict[str, float]) -> Bundle:
    sector = replace(training.bundle.heads["sector"], thresholds=thresholds)
    return replace(training.bundle, heads={**training.bundle.heads, "sector": sector})


def test_a_router_goes_by_its_bundles_threshold(training: Training) -> None:
    complaint = Complaint("jalan rusak berlubang dan aspal mengelupas")
    outcomes = {}
    for threshold in (None, 0.0, 1.0):
        bundle = with_thresholds(training, {} if threshold is None else {"kab-tangerang": threshold})
        outcomes[threshold] = Router(bundle, load_region("kab-tangerang")).route(complaint).disposition
    assert {threshold: disposition.reasons for threshold, disposition in outcomes.items()} == {
        None: (Reason.NO_THRESHOLD,),
        0.0: (Reason.CONFIDENT,),
        1.0: (Reason.NOT_CONFIDENT,),
    }
    assert outcomes[0.0].choice.sector == "public-works"


def test_a_region_goes_by_its_own_threshold_and_without_one_never_alone(training: Training) -> None:
    text = "jalan rusak berlubang dan aspal mengelupas"
    bundle = with_thresholds(training, {"kab-tangerang": 0.001, "kota-surabaya": 1.0})
    expected = {
        "kab-tangerang": Reason.CONFIDENT,
        "kota-surabaya": Reason.NOT_CONFIDENT,
        "kab-bandung": Reason.NO_THRESHOLD,
    }
    for code, reason in expected.items():
        router = Router(bundle, load_region(code))
        for region in (code, ""):
            disposition = router.route(Complaint(text, region=region)).disposition
            assert disposition.reasons == (reason,)
            assert (disposition.outcome is Outcome.AUTO) == (reason is Reason.CONFIDENT)
    routers = Routers(bundle, load_region("kab-tangerang"))
    for code, reason in {**expected, "": Reason.CONFIDENT}.items():
        assert routers.route(Complaint(text, region=code)).disposition.reasons == (reason,)


def test_an_agency_that_is_off_is_no_reason_where_others_let_the_case_wait(finder: AreaFinder) -> None:
    disposition = route(finder, "public-works", probability=0.6, off={"dbmsda"})
    assert disposition.reasons == (Reason.NOT_CONFIDENT,)
    assert route(finder, "public-works", off={"dlh"}).outcome is Outcome.AUTO


def test_routers_go_by_the_policy_of_each_complaints_region(training: Training) -> None:
    bundle = with_thresholds(training, {"kab-tangerang": 0.0, "kab-bandung": 0.0})
    routers, text = Routers(bundle, load_region("kab-tangerang")), "jalan rusak berlubang dan aspal"
    bolder, head = Complaint(text, region="kab-bandung"), bundle.heads["sector"]
    routers.policies = {"kab-tangerang": Policy(replace(head, thresholds={}), 0.99)}
    assert routers.route(Complaint(text)).disposition.reasons == (Reason.NO_THRESHOLD,)
    assert routers.route(bolder).disposition.outcome is Outcome.AUTO
    routers.policies = {"kab-tangerang": Policy(head, None, frozenset({"dbmsda"}))}
    assert routers.route(Complaint(text)).disposition.reasons == (Reason.AGENCY_OFF,)


def test_a_complaint_of_a_region_without_a_file_never_goes_alone(training: Training) -> None:
    """The default region's router answers it, but what that region has proven is not its own."""
    routers = Routers(with_thresholds(training, {"kab-tangerang": 0.001}), load_region("kab-tangerang"))
    disposition = routers.route(Complaint("jalan rusak berlubang dan aspal", region="kab-antah-berantah")).disposition
    assert disposition.reasons == (Reason.NO_THRESHOLD,)
    assert disposition.outcome is Outcome.REVIEW


def test_a_router_leaves_a_text_of_unknown_words_to_a_person(training: Training) -> None:
    routed = Router(training.bundle, load_region("kota-surabaya")).route(Complaint("🙏🙏"))
    assert routed.prediction.known_words == 0
    assert Reason.UNREADABLE in routed.disposition.reasons
    assert routed.disposition.outcome is Outcome.REVIEW


@pytest.fixture(scope="module")
def bold(training: Training) -> Router:
    """A router that is sure of all that it reads."""
    return Router(with_thresholds(training, {"kab-tangerang": 0.0}), load_region("kab-tangerang"))


def test_two_matters_for_two_agencies_wait_with_both_choices(bold: Router) -> None:
    routed = bold.route(Complaint(f"{ROAD}. Selain itu {CLINIC}"))
    assert (routed.disposition.outcome, routed.disposition.reasons) == (Outcome.REVIEW, (Reason.TWO_MATTERS,))
    assert routed.split is not None
    chosen = [
        (choice.agency.code, choice.area.name) for choice in routed.split.choices if choice.agency and choice.area
    ]
    assert chosen == [("dbmsda", "Klebet"), ("dinkes", "Curug")]
    for text in (ROAD, CLINIC):
        alone = bold.route(Complaint(text))
        assert (alone.disposition.outcome, alone.split) == (Outcome.AUTO, None)


def test_two_matters_that_one_agency_answers_for_are_no_split(bold: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(first: str, second: str) -> None:
        found = TwoMatters(Ranked(first, 0.9), Ranked(second, 0.8), 0.72, (ROAD, CLINIC))
        monkeypatch.setattr(routing, "find_two_matters", lambda *_: found)

    both("disaster", "fire-rescue")
    routed = bold.route(Complaint(ROAD))
    assert (routed.disposition.outcome, routed.split) == (Outcome.AUTO, None)
    both("disaster", "health")
    split = bold.route(Complaint(ROAD)).split
    assert split is not None
    assert (split.choices[0].sector, split.choices[1].sector, split.probability) == ("disaster", "health", 0.72)


def test_a_road_of_the_province_waits_though_roads_are_the_regions_own(bold: Router) -> None:
    routed = bold.route(Complaint("Jalan provinsi berlubang besar, aspal di ruas jalan provinsi ini mengelupas"))
    assert routed.disposition.choice.agency is not None
    assert routed.disposition.choice.agency.level == "local"
    assert (routed.jurisdiction.level, routed.jurisdiction.is_ours) == ("province", False)
    assert routed.disposition.reasons == (Reason.OTHER_GOVERNMENT,)


def test_an_incomplete_complaint_is_asked_about_and_goes_on(bold: Router) -> None:
    routed = bold.route(Complaint("ada sampah menumpuk"))
    assert not routed.completeness.complete
    assert "Di mana" in routed.completeness.question
    assert routed.disposition.outcome is Outcome.AUTO


def test_a_bundle_with_the_question_of_the_sector_alone_still_routes(training: Training) -> None:
    bundle = replace(training.bundle, heads={"sector": training.bundle.heads["sector"]})
    routed = Router(bundle, load_region("kab-tangerang")).route(Complaint(ROAD))
    assert routed.urgency is None
    assert routed.jurisdiction.is_ours
    assert routed.completeness.complete
