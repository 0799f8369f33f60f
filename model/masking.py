"""Masking: typed tokens such as `[NIK]` in place of what identifies a person, before anything else sees the text.

A number is masked by its structure (an ID number holds a province and a date of birth), its shape (a mobile number
begins with 08) or a word before it that says what it is ("rek", "id pelanggan"). Amounts, dates, RT/RW, house and law
numbers have neither and stay. Every search is gated by a cheap look at the text, since most complaints hold nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from data.complaint import Confidentiality
from model.characters import hide_tokens, repair
from model.memory import RECENT_TEXTS
from model.names import mask_announced_names, mask_reporter

KINDS = ("NIK", "KK", "NIP", "NPWP", "TELEPON", "EMAIL", "PLAT", "REKENING", "URL", "NOMOR", "NAMA")

Replace = Callable[[re.Match[str]], str]
_MOST_ROUNDS = 4
_LONGEST_TOKEN = 10
_FARTHEST_CUE = 100

# What stands between the digits of one number.
_GAP = r"[ \t.()\u2010-\u2015_-]"
_ID_DIGITS = re.compile(r"\d(?:[^\w\n]{0,3}_?[\doO]){14}")
_DIGIT = re.compile("[0-9]")
_MANY_DIGITS = re.compile(r"[0-9](?:[^\w\n]{0,3}_?[0-9oO]){5}")

# An ID number's own structure tells it, so nearly any sign may part its digits, and the letter O may be a zero.
_ID_GAP = r"[^\w\n]{0,3}_?"
_SIXTEEN = re.compile(rf"[1-9](?<![\dA-Za-z][1-9])(?<!\d[.,][1-9])(?:{_ID_GAP}[\doO]){{15}}(?![\dA-Za-z])")
_EIGHTEEN = re.compile(rf"[12](?<!\d[12])(?<!\d[.,][12])(?:{_ID_GAP}\d){{17}}(?!\d)")
_NPWP = re.compile(r"\d(?<!\d\d)\d ?[. ] ?\d{3} ?[. ] ?\d{3} ?[. ] ?\d ?[-. ] ?\d{3} ?[. ] ?\d{3}(?!\d)")
_TAX_AFTER_CUE = re.compile(rf"\d(?<!\d\d)(?:{_ID_GAP}\d){{14,15}}(?!\d)")
_TAX_OBJECT = re.compile(r"\d(?<!\d\d)\d[. ]\d\d[. ]\d{3}[. ]\d{3}[. ]\d{3}[-. ]\d{4}[-. ]\d(?!\d)")
_UNBROKEN = re.compile(r"\d(?<!\d\d)\d{12,}(?!\d)")
_GROUP_BEFORE = re.compile(r"\d\D$")
_CARD_GROUPS = re.compile(r"\d{4}([^\d,]{1,2})\d{4}\1\d{4}\1\d{4}|\d{16}")
# A prepaid meter's token.
_TWENTY = re.compile(r"\d{4}(?<!\d{5})([ -])(?:\d{4}\1){3}\d{4}(?!\d)")
_YEARS = re.compile(r"(?:(?:19|20)\d\d\D{0,3}){2,5}")
_LETTERS_FOR_DIGITS = str.maketrans("oOlI", "0011")
_TIMESTAMP = re.compile(r"20\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d")
_PROVINCES = frozenset(
    (
        "11 12 13 14 15 16 17 18 19 21 31 32 33 34 35 36 51 52 53 61 62 63 64 65 71 72 73 74 75 76 81 82 91 92 93 94 "
        "95 96"
    ).split()
)
_FAMILY_CARD = re.compile(r"\b(?:kk|kartu\s+keluarga|k\.k)\b[^\d\n]{0,25}$", re.IGNORECASE)
_TAX_NUMBER = re.compile(r"\bnpwp\b[^\d\n]{0,25}$", re.IGNORECASE)
_ID_CUE = re.compile(r"\b(?:nik|ktp|identitas)\b[^\d\n]{0,25}$", re.IGNORECASE)

# A letter stands for a digit only between digits: not the o of "0812...atau".
_MOBILE_DIGIT = r"(?:\d|[oOlI](?![A-KM-Za-km-z]))"
_WIDE_GAP = r"[^\w\n:+]{0,3}_?"
_NEXT_MOBILE = rf"(?:\+?62|[0oO])8(?:{_WIDE_GAP}\d){{7}}"
_MOBILE = re.compile(
    rf"[(+06oO](?<!\d[(+06oO])(?:(?=\d{{4}})|(?<!\d[.,][(+06oO]))(?<![A-Za-z][oO])"
    rf"(?:(?<=[06])(?:(?<=6)2|062)\)?|(?<=[(+])\+?62\)?|(?<=\()[0oO]|(?<=[0oO])){_WIDE_GAP}(?:\(?0\)?{_GAP}?)?8"
    rf"(?:{_WIDE_GAP}(?<![^\dA-Za-z](?={_NEXT_MOBILE})){_MOBILE_DIGIT}){{6,12}}(?!\d)"
)
_BARE_MOBILE = re.compile(rf"8(?<![\d+]8)[1-9](?:{_GAP}?\d){{7,10}}(?!\d)")
_LANDLINE = re.compile(
    rf"[(+06](?<!\d[(+06])(?<!\d[.,][(+06])(?<![A-Za-z.]/[(+06])"
    rf"(?:(?<=[06])(?:(?<=6)2{_GAP}{{0,2}}|)|(?<=\+)62{_GAP}{{0,2}}|(?<=\()0)(?:2[1-9]|3\d{{1,2}}|[2-79]\d{{2}})"
    rf"(?:\)?[ \t./()-]{{1,3}}(?=\d{{3,8}}(?!\d)|\d{{3,4}}{_GAP}\d{{2,4}}(?!\d))\d(?:{_GAP}?\d){{5,7}}|\d{{6,8}})(?!\d)"
)
_LOCAL_NUMBER = re.compile(r"\d(?<!\d\d)\d{2,3}[ .-]?\d{3,4}(?!\d)")
_PHONE_CUE = re.compile(
    r"\b(?:wa|w\.a|whats\s?app|hp|h\.p|hape|handphone|telp|tlp|telpon|telepon|tel|phone|hub|hubungi|call|sms|kontak|"
    r"contact|cp|nomer|nomor|no)\b[^\d\n]{0,20}$",
    re.IGNORECASE,
)
_PHONE_WORD = re.compile(
    r"\b(?:wa|whats\s?app|hp|handphone|telp|tlp|telpon|telepon|phone|hub|hubungi)\b", re.IGNORECASE
)
_LANDLINE_CUE = re.compile(r"\b(?:telp|tlp|telpon|telepon|tel|phone|fax|hubungi)\b[^\d\n]{0,12}$", re.IGNORECASE)
_MOBILE_PREFIX = re.compile(r"8(?:1[1-9]|2[1-38]|3[1-38]|5[1-9]|7[7-9]|8[1-9]|9[4-9])")
_PLAIN_MOBILE = re.compile(r"0\d{8}")
_STARTS_LIKE_DATE = re.compile(r"\d\d[-. ]\d\d[-. ](?:19|20)\d\d|\d\d\.\d\d\D")
_NUMBER_WORD = "(?:nol|kosong|satu|dua|tiga|empat|lima|enam|tujuh|delapan|lapan|sembilan)"
_SPELLED = re.compile(rf"\b(?:nol|kosong)(?:[\s,.;-]{{1,3}}(?:{_NUMBER_WORD}|\d(?!\d))){{7,14}}\b", re.IGNORECASE)

_CUED_NUMBER = re.compile(rf"\d(?<!\d\d)(?:{_GAP}{{0,2}}\d){{5,20}}[A-Za-z]?(?![^\W_])")
_PASSPORT_LETTERS = re.compile(r"(?<![^\W_])[A-Za-z]{1,2} ?$")
_ACCOUNT_CUE = re.compile(
    r"(?<!kode )\b(?:no\.?\s?rek|norek|rek|rekening|a/c|bca|bri|bni|btn|bjb|bsi|mandiri|bank\s\w{2,12}|"
    r"(?<!anggaran )dana(?! (?:desa|bos|bantuan|alokasi|hibah|pkh|bansos|bergulir))|ovo|gopay)"
    r"\b(?P<between>[^\d\n]{0,30})$",
    re.IGNORECASE,
)
_CUSTOMER_CUE = re.compile(
    r"\b(?:id\.?\s?pel\w{0,8}|idpel\w{0,8}|nopel|nosal|kip|kks|nisn|nop|va|virtual\saccount|paspor|passport|bpjs|kis|jkn|"
    r"pelanggan|langganan|meteran|sim|rekam\smedis|indihome|pdam|pln|"
    r"(?:no|nomor|nomer|id)\.?\s?(?:id\s)?(?:pel|meter|sambungan|sl|kartu|peserta|polis|induk|kontrak|rekening|rm))"
    r"\b(?P<between>[^\d\n]{0,30})$",
    re.IGNORECASE,
)
_SERVICE_LINE = re.compile(r"1\D?500|1\D?4\d\d|0800")
_AMOUNT_BEFORE = re.compile(
    r"(?:\brp|\bidr|sebesar|senilai|sejumlah|seharga|tagihan|tanggal|tgl|tahun)\W*$", re.IGNORECASE
)
_AMOUNT_AFTER = re.compile(r"\s{0,2}(?:rupiah|ribu|rb|juta|jt|,-|liter|kg|meter|orang|kwh|m3)", re.IGNORECASE)
_AMOUNT = re.compile(
    r"(?:[1-9]\d{2,5}[05]00|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,6}000000)(?: (?:[1-9]\d{2,5}[05]00|[1-9]\d{0,2}00))*"
)
_TIMES = re.compile(r"[0-2]?\d[.][0-5]\d(?: ?[-\u2013] ?[0-2]?\d[.][0-5]\d)?")
_ANY_DATE = re.compile(r"(?<!\d)\d{1,2}([-./])\d{1,2}\1(?:19|20)\d\d(?!\d)")
_COORDINATES = re.compile(r"-?\d{1,2}[.,]\d{3,9}\s?[,; ]\s?\d{2,3}[.,]\d{3,9}")
_DATE = re.compile(r"\d{1,2}([-./ ])\d{1,2}\1(?:19|20)\d\d.{0,9}|(?:19|20)\d\d([-./])\d{1,2}\2\d{1,2}.{0,9}")

_PLATE_PREFIXES = frozenset(
    (
        "A B D E F T Z G H K R L M N P S W AA AB AD AE AG BA BB BD BE BG BH BK BL BM BN BP DA DB DC DD DE DG DH DK DL "
        "DM DN DP DR DS DT DW EA EB ED KB KH KT KU PA PB PG PS PT RI CC CD"
    ).split()
)
_PLATE_PREFIX = re.compile(r"(?:(?<![^\W_])|(?<=plat)|(?<=nopol))([A-Za-z]{1,2})[ ._-]{0,2}$")
_PLATE_REST = re.compile(r"[0-9](?<=[A-Za-z ._-][0-9])([0-9]{0,3})[ ._-]{0,2}([A-Za-z]{1,3})(?![^\W_])")
_VEHICLES = (
    *(
        "plat nopol pol motor mobil kendara truk truck bus angkot pickup sepeda taksi sopir supir ambulan avanza ojol "
        "ojek mikrolet parkir tronton sedan minibus elf jeep fortuner innova xenia vario nmax vespa"
    ).split(),
    "bis ",
)
_ADDRESS_BEFORE = re.compile(
    r"\b(?:blok|blk|block|gang|gg|jl|jln|jalan|no|nomor|rt|rw|unit|lantai|lt|kav|kavling|cluster|kamar|ruang|kelas|pasal|"
    r"tower|gedung|sektor|pos|tipe|type|km|tiang|gate|peron)\b\W{0,3}$",
    re.IGNORECASE,
)
_PLATE_CUE = re.compile(r"(?:plat|nopol|no\.? ?pol(?:isi)?|nomor polisi)(?: nomor| nomer| no)?\W{0,3}$", re.IGNORECASE)
_FEWEST_PLATE_DIGITS = 3
_NO_PLATE_ENDING = frozenset(
    (
        "AN RB JT KE DI DR YG KG KM M CM TH HR ORG KK RT RW TON WIB NO LT DAN ADA JL GG ITU INI PAS UP OK BLN HRI MTR "
        "DST"
    ).split()
)

_MAIL_HOSTS = r"(?:gmail|yahoo|ymail|outlook|hotmail|icloud|rocketmail|live|proton)"
_AT = rf"(?:\s?(?:@|[\[({{]\s?(?:at|@)\s?[\])}}])\s?|\s(?:at|et)\s(?={_MAIL_HOSTS}))"
_DOT = r"\s?(?:\.|[\[({]\s?(?:dot|titik)\s?[\])}]|\s(?:dot|titik)\s)\s?"
_EMAIL = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{1,64}}{_AT}[\w-]{{1,63}}(?:{_DOT}(?:[\w-]{{1,30}}\.)?(?:com|co|id|net|org|go|ac|sch|web|my|"
    rf"biz|info|me|desa)(?:\.[a-z]{{2,3}})?|(?:\.[A-Za-z][\w-]{{0,62}}){{1,5}})(?![\w-])",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?:https?://|www\.)\S{1,2000}|(?<![\w@./-])(?:[\w-]{1,63}\.){1,5}(?:com|id|me|ly|gl|net|org|co|app|page|be|info|io)/\S{1,2000}",
    re.IGNORECASE,
)
_URL_PARTS = re.compile(r"(?:https?://)?(?P<host>[^/?#\s]*)(?P<path>[^?#\s]*)(?P<query>\S*)", re.IGNORECASE)
_NAKED_ADDRESS = re.compile(r"\.[A-Za-z]{2,4}/")

# The latest texts with nothing left to mask: what was masked to be stored is read after that.
_settled: set[str] = set()


def mask_personal_data(text: str) -> str:
    """Put a token of `KINDS` in place of numbers, addresses and announced names that identify a person.

    What a token replaced may have kept something beside it from being seen, so a text that changed is looked at again.
    """
    text = repair(text)
    if not text or text in _settled:
        return text
    for _ in range(_MOST_ROUNDS):
        masked = _mask_once(text)
        if masked == text:
            if len(_settled) >= RECENT_TEXTS:
                _settled.clear()
            _settled.add(text)
            break
        text = masked
    return text


def mask_for_storage(text: str, confidentiality: Confidentiality) -> str:
    """What may be kept of a text: masked, and unless it is open, without whatever names its reporter."""
    masked = mask_personal_data(text)
    return masked if confidentiality is Confidentiality.TERBUKA else mask_reporter(masked)


def _mask_once(text: str) -> str:
    lower = hide_tokens(text).lower()
    if "www." in lower or ("/" in lower and ("://" in lower or _NAKED_ADDRESS.search(text))):
        text = _URL.sub(_mask_url, text)
    if "@" in text or "mail" in lower or " at " in lower or "(at" in lower or "[at" in lower:
        text = _EMAIL.sub("[EMAIL]", text)
    if digit := _DIGIT.search(text):
        if many := _MANY_DIGITS.search(text, digit.start()):
            start = max(0, many.start() - _FARTHEST_CUE)
            text = text[:start] + _mask_numbers(text[start:])
        text = _mask_plates(text)
    if "nol" in lower or "kosong" in lower:
        text = _SPELLED.sub("[TELEPON]", text)
    return mask_announced_names(text)


def _mask_numbers(text: str) -> str:
    if _ID_DIGITS.search(text):
        text = _mask_structured(_EIGHTEEN, _mask_eighteen, text)
        text = _TAX_OBJECT.sub("[NOMOR]", _NPWP.sub("[NPWP]", text))
        text = _TAX_AFTER_CUE.sub(_if_cued(_TAX_NUMBER, "NPWP"), text)
        text = _mask_structured(_SIXTEEN, _mask_sixteen, _TWENTY.sub(_mask_twenty, text))
    text = _CUED_NUMBER.sub(_mask_cued, text)
    text = _MOBILE.sub(_mask_mobile, text)
    text = _LANDLINE.sub(_mask_landline, text)
    text = _BARE_MOBILE.sub(_if_cued(_PHONE_CUE, "TELEPON"), text)
    text = _LOCAL_NUMBER.sub(_mask_local_number, text)
    return _UNBROKEN.sub(_mask_unbroken, text)


def _mask_structured(pattern: re.Pattern[str], replace: Replace, text: str) -> str:
    """Like `pattern.sub`, but digits refused together may still end in a number: "0812-3456-7890 / 3603-0112-..."."""
    pieces, done = [], 0
    found = pattern.search(text)
    while found:
        token = replace(found)
        is_refused = token == found[0]
        if not is_refused:
            pieces += [text[done : found.start()], token]
            done = found.end()
        found = pattern.search(text, found.start() + 1 if is_refused else done)
    return "".join([*pieces, text[done:]])


def _before(found: re.Match[str], most: int = 40) -> str:
    return _text_before(found.string, found.start(), most)


def _text_before(text: str, place: int, most: int) -> str:
    """What stands before a place and may tell what is there; a token tells nothing, whole or cut short."""
    return hide_tokens(text[max(0, place - most - _LONGEST_TOKEN) : place])[-most:]


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _if_cued(cue: re.Pattern[str], kind: str) -> Replace:
    return lambda found: f"[{kind}]" if cue.search(_before(found)) else found[0]


def _mask_sixteen(found: re.Match[str]) -> str:
    digits, before = _digits(found[0].translate(_LETTERS_FOR_DIGITS)), _before(found)
    if _AMOUNT_BEFORE.search(before) or _ANY_DATE.search(found[0]) or _COORDINATES.search(found[0]):
        return found[0]
    if _is_id_number(digits):
        return "[KK]" if _FAMILY_CARD.search(before) else "[NIK]"
    if _ID_CUE.search(before):
        return "[NIK]"
    if _FAMILY_CARD.search(before):
        return "[KK]"
    is_card = _CARD_GROUPS.fullmatch(found[0]) and not _GROUP_BEFORE.search(before) and not _YEARS.fullmatch(found[0])
    return "[NOMOR]" if is_card else found[0]


def _mask_twenty(found: re.Match[str]) -> str:
    return found[0] if _YEARS.fullmatch(found[0]) or found[0].startswith("08") else "[NOMOR]"


def _is_id_number(digits: str) -> bool:
    """Region (province, regency 01-79, kecamatan), ddmmyy with 40 added to a woman's day, serial: PP 40/2019."""
    day, month = int(digits[6:8]) % 40, int(digits[8:10])
    return (
        digits[:2] in _PROVINCES
        and 1 <= int(digits[2:4]) <= 79
        and 1 <= day <= 31
        and int(digits[6:8]) <= 71
        and 1 <= month <= 12
    )


def _mask_eighteen(found: re.Match[str]) -> str:
    """A civil servant's number: born yyyymmdd, appointed yyyymm, 1 or 2, serial (Perka BKN 22/2007)."""
    digits = _digits(found[0])
    born, appointed = int(digits[:4]), int(digits[8:12])
    fits = 1930 <= born <= 2015 and born < appointed <= 2099 and int(digits[4:6]) <= 12 and int(digits[6:8]) <= 31
    return "[NIP]" if fits and digits[14] in "12" and 1 <= int(digits[12:14]) <= 21 else found[0]


def _mask_cued(found: re.Match[str]) -> str:
    """Mask a number that a word some thirty characters before it gives away as an account's or a customer's."""
    number, before = found[0], _before(found, 60)
    cued = _PASSPORT_LETTERS.sub("", before)
    kind = "REKENING"
    cue = _ACCOUNT_CUE.search(cued)
    if cue is None:
        kind, cue = "NOMOR", _CUSTOMER_CUE.search(cued)
    is_other = (
        cue is None
        or _AMOUNT_BEFORE.search(before, len(cued) - len(cue["between"]))
        or _AMOUNT_AFTER.match(found.string, found.end())
        or _AMOUNT.fullmatch(number)
        or _YEARS.fullmatch(number)
        or _DATE.fullmatch(number)
        or _TIMES.fullmatch(number)
        or _PHONE_WORD.search(cue["between"])
    )
    return number if is_other else f"[{kind}]"


def _mask_local_number(found: re.Match[str]) -> str:
    cued = _LANDLINE_CUE.search(_before(found)) and not _SERVICE_LINE.match(found[0])
    return "[TELEPON]" if cued else found[0]


def _mask_mobile(found: re.Match[str]) -> str:
    """Mask the number, and give back a short last group that is something else: "0812 3456 7890 2 orang"."""
    number, tail = found[0], ""
    spelled = number.translate(_LETTERS_FOR_DIGITS)
    is_amount = _AMOUNT_BEFORE.search(_before(found)) and not _PLAIN_MOBILE.match(spelled)
    if _STARTS_LIKE_DATE.match(spelled) or is_amount:
        return found[0]
    subscriber = re.sub(r"\D", "", spelled).lstrip("0").removeprefix("62").lstrip("0")
    groups = re.split(r"(\D{1,3})", number)
    too_long = len(subscriber) > 12 or (len(subscriber) > 11 and len(groups[-1]) <= 3)
    if too_long and len(groups) > 4 and max(map(len, groups[2:-1:2])) > 1:
        tail = "".join(groups[-2:])
        number = number[: -len(tail)]
    if not _MOBILE_PREFIX.match(subscriber) or not 8 <= len(_digits(number)) <= 15:
        return found[0]
    opened = "(" if number.startswith("(") and ")" not in number else ""
    return f"{opened}[TELEPON]{tail}"


def _mask_landline(found: re.Match[str]) -> str:
    if _STARTS_LIKE_DATE.match(found[0]) or _AMOUNT_BEFORE.search(_before(found)):
        return found[0]
    return "[TELEPON]" if 8 <= len(_digits(found[0])) <= 12 else found[0]


def _mask_unbroken(found: re.Match[str]) -> str:
    is_other = _TIMESTAMP.match(found[0]) or _AMOUNT.fullmatch(found[0]) or _AMOUNT_BEFORE.search(_before(found))
    return found[0] if is_other else "[NOMOR]"


def _mask_plates(text: str) -> str:
    """Put `[PLAT]` in place of a vehicle's number."""
    pieces, done = [], 0
    for found in _PLATE_REST.finditer(text):
        before = text[max(done, found.start() - 12) : found.start()]
        if not before.rstrip(" ._-")[-1:].isalpha():
            continue
        prefix = _PLATE_PREFIX.search(before)
        if prefix is None:
            continue
        start = found.start() - len(before) + prefix.start()
        if _is_plate(prefix[1], found[0], found[2], _text_before(text, start, 40)):
            pieces += [text[done:start], "[PLAT]"]
            done = found.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _is_plate(prefix: str, rest: str, ending: str, before: str) -> bool:
    """Whether the letters are those of a plate and not a house number's; small or short ones need a vehicle's word."""
    if prefix.upper() not in _PLATE_PREFIXES or ending.upper() in _NO_PLATE_ENDING or rest.startswith("0"):
        return False
    digits = sum(map(str.isdigit, rest))
    plain = prefix.isupper() and ending.isupper() and digits >= _FEWEST_PLATE_DIGITS
    if _PLATE_CUE.search(before):
        return True
    if _ADDRESS_BEFORE.search(before):
        return False
    return plain or (digits + len(ending) > 3 and any(word in before.lower() for word in _VEHICLES))


def _mask_url(found: re.Match[str]) -> str:
    """Hide an address that leads to one person or thing; a public site's own address stays."""
    address = found[0].rstrip(".,;:!?)]}>\"'")
    parts = _URL_PARTS.match(address)
    if parts is None:
        return found[0]
    host, path = parts["host"].lower(), parts["path"].strip("/")
    government = host.endswith(".go.id")
    is_public = "@" not in host and not parts["query"] and (not path or (government and not re.search(r"\d{4}", path)))
    return found[0] if is_public else "[URL]" + found[0][len(address) :]
