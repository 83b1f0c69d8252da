"""NACHA files are read whole and strictly: what is wrong is named with its line, and nothing else is ever raised."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rails.ach import layouts
from rails.ach.changes import CHANGES
from rails.ach.reader import MAX_FAULTS, read
from rails.ach.records import NachaError
from rails.ach.returns import RETURNS
from rails.ach.writer import compose, write
from tests.rails.ach.samples import BANK, DATA, bank_file, batch, changed, entry, file, returned, spoil

TRACE = f"{BANK[:8]}0000001"
GOOD = write(file([batch([entry(1), entry(2)])])).content
LINES = GOOD.split(b"\n")


def faults(content: bytes) -> list[str]:
    with pytest.raises(NachaError) as refused:
        read(content)
    return [str(fault) for fault in refused.value.faults]


@pytest.mark.parametrize("path", sorted(DATA.glob("good/*")), ids=lambda path: path.name)
def test_good_files_are_read(path):
    found = read(path.read_bytes())
    assert found.batches
    assert found.totals.credits_minor > 0


@pytest.mark.parametrize("path", sorted(DATA.glob("returns_noc/*")), ids=lambda path: path.name)
def test_returns_and_notifications_of_change_are_read(path):
    found = read(path.read_bytes())
    assert not any(entry.is_forward for _, entry in found.entries())


@pytest.mark.parametrize("path", sorted(DATA.glob("corrupt/*")), ids=lambda path: path.name)
def test_corrupt_files_are_refused_with_line_and_reason(path):
    with pytest.raises(NachaError) as refused:
        read(path.read_bytes())
    assert all(fault.line >= 1 and fault.reason for fault in refused.value.faults)
    assert len(refused.value.faults) <= MAX_FAULTS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("short-line.ach", "line 5: the line has 74 characters instead of 94"),
        ("long-line.ach", "line 3: the line has 98 characters instead of 94"),
        ("extended-ascii.ach", "line 15: position 68 holds byte 0xc5, which is not printable ASCII"),
        (
            "ppd-debit-invalid-entryDetail-checkDigit.ach",
            "line 3: entry detail: the routing number's check digit is wrong",
        ),
        ("issue1620.ach", "line 5: file control: batch count says 2, the records say 1"),
        ("web-invalidNOCFile.ach", "line 4: there is no change code C92"),
        ("txp-debit.ach", "line 4: addenda 05: entry sequence number (positions 88 to 94) must be digits"),
    ],
)
def test_the_reason_is_the_one_that_helps(name, said):
    assert said in faults((DATA / "corrupt" / name).read_bytes())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b""])
def test_lines_may_end_in_lf_crlf_cr_or_not_at_all(end):
    assert read(end.join(LINES[:-1])).totals == read(GOOD).totals
    assert read(end.join(LINES[:-1]) + b"\n").totals == read(GOOD).totals


def test_lines_of_nines_may_be_missing_but_nothing_else_may_follow():
    assert read(b"\n".join(line for line in LINES if line != layouts.FILLER.encode())).batches
    assert "line 7: nothing but lines of nines may follow the file control" in faults(
        b"\n".join([*LINES[:6], LINES[2], *LINES[7:]])
    )


@pytest.mark.parametrize("cut_to", range(1, 6))
def test_a_file_that_ends_too_early_is_refused(cut_to):
    assert any("ends too early" in fault for fault in faults(b"\n".join(LINES[:cut_to])))


@pytest.mark.parametrize("gone", range(6))
def test_a_file_that_lacks_any_record_is_refused(gone):
    faults(b"\n".join(line for number, line in enumerate(LINES) if number != gone))


@pytest.mark.parametrize("twice", range(6))
def test_a_file_with_any_record_twice_is_refused(twice):
    faults(b"\n".join([*LINES[: twice + 1], *LINES[twice:]]))


@pytest.mark.parametrize(
    ("line", "first", "text", "said"),
    [
        (1, 2, "02", "priority code (positions 2 to 3) must be 01"),
        (1, 24, "251301", "file creation date (positions 24 to 29) must be a date"),
        (1, 24, "250230", "file creation date (positions 24 to 29) must be a date"),
        (1, 30, "2400", "file creation time (positions 30 to 33) must be a time"),
        (1, 34, "a", "file id modifier (position"),
        (1, 35, "106", "record size"),
        (1, 5, "121042883", "immediate destination's check digit is wrong"),
        (2, 2, "201", "service class"),
        (2, 51, "XYZ", "no such standard entry class"),
        (2, 70, "251131", "effective entry date"),
        (2, 76, "367", "settlement date"),
        (2, 2, "220", "service class is not the one of the batch header"),
        (2, 41, "0987654321", "company identification is not the one of the batch header"),
        (2, 80, "12104289", "odfi identification is not the one of the batch header"),
        (2, 88, "0000002", "batch number is not the one of the batch header"),
        (3, 2, "20", "there is no transaction code 20"),
        (3, 2, "27", "total debits says 0"),
        (3, 12, "5", "check digit is wrong"),
        (3, 13, " " * 17, "account number (positions 13 to 29) must not be blank"),
        (3, 30, "00000001.0", "amount (positions 30 to 39) must be digits"),
        (3, 30, "0000000101", "total credits says 200, the records say 201"),
        (3, 30, "0000000000", "transaction code 22 goes with an amount above zero"),
        (3, 2, "23", "transaction code 23 goes with an amount of zero"),
        (3, 79, "1", "the addenda indicator is not what follows"),
        (3, 80, "12104289", "does not begin with the batch's ODFI"),
        (3, 88, "0000002", "the trace number is not above the one before it"),
        (5, 5, "000003", "entry addenda count says 3, the records say 2"),
        (5, 11, "0046276021", "entry hash says 46276021, the records say 46276020"),
        (6, 2, "000002", "batch count says 2, the records say 1"),
        (6, 8, "000002", "block count"),
        (6, 14, "00000003", "entry addenda count"),
        (6, 90, "X", "reserved (positions 56 to 94) must be blank"),
    ],
)  # fmt: skip
def test_one_wrong_field_refuses_the_file_and_is_named(line, first, text, said):
    content = GOOD
    if line == 1 and first == 5:
        content = spoil(content, 1, 4, " 121042882")
    spoilt = spoil(content, line, first, text)
    assert any(said.split(" (position")[0] in fault for fault in faults(spoilt)), faults(spoilt)


@pytest.mark.parametrize(("line", "first", "text"), [(3, 13, "4111111111111"), (3, 55, "Zaphod Beeblebrox")])
def test_reasons_never_repeat_account_numbers_or_names(line, first, text):
    spoilt = spoil(spoil(GOOD, line, first, text), 3, 30, "X")
    assert text not in "\n".join(faults(spoilt))


def test_a_batch_of_credits_holds_no_debits():
    content = spoil(spoil(spoil(GOOD, 2, 2, "220"), 5, 2, "220"), 3, 2, "27")
    assert any("transaction code 27 is a debit in a batch of credits" in fault for fault in faults(content))


def test_faults_are_told_in_the_order_of_the_lines_and_not_without_end():
    many = write(file([batch([entry(number) for number in range(1, 300)])])).content
    told = faults(b"\n".join(line[:-1] for line in many.split(b"\n")))
    assert len(told) == MAX_FAULTS
    assert told == sorted(told, key=lambda fault: int(fault.split()[1].rstrip(":")))


@pytest.mark.parametrize("code", sorted(RETURNS))
def test_every_return_code_is_read(code):
    found = read(bank_file(("PPD", [returned(code, trace=TRACE)])))
    ((_, item),) = found.entries()
    assert item.addenda[0]["return_code"] == code


@pytest.mark.parametrize("code", sorted(CHANGES))
def test_every_change_code_is_read(code):
    found = read(bank_file(("COR", [changed(code, "121042882", trace=TRACE)])))
    ((_, item),) = found.entries()
    assert item.addenda[0]["change_code"] == code


@pytest.mark.parametrize("code", ["R00", "R48", "R63", "R99"])
def test_an_unknown_return_code_is_refused(code):
    assert f"line 4: there is no return reason code {code}" in faults(bank_file(("PPD", [returned(code, trace=TRACE)])))


def test_a_change_without_its_data_is_refused():
    assert "line 4: C02 without any corrected data" in faults(bank_file(("COR", [changed("C02", "", trace=TRACE)])))


def test_a_change_belongs_into_a_batch_of_its_class():
    assert any("outside of a batch of class COR" in fault for fault in faults(
        bank_file(("PPD", [changed("C02", "121042882", trace=TRACE)]))
    ))  # fmt: skip


def test_an_empty_file_of_the_bank_is_read():
    assert read(bank_file()).batches == []


def test_returns_without_any_header_and_control_are_read_as_a_bare_list():
    lines = bank_file(("PPD", [returned("R03", trace=TRACE)])).split(b"\n")
    bare = read(b"\n".join(lines[1:4]))
    assert bare.is_bare
    assert any("does not begin with a file header" in fault for fault in faults(b"\n".join(LINES[1:4])))


def test_an_international_file_is_read():
    found = read(_international())
    assert len(found.batches[0].entries[0].addenda) == 9


@pytest.mark.parametrize("gone", range(7))
def test_an_international_entry_without_one_of_its_addenda_is_refused(gone):
    lines = _international().split(b"\n")
    faults(b"\n".join([*lines[: 3 + gone], *lines[4 + gone :]]))


def test_an_addenda_counts_from_one_and_ends_as_its_entry():
    trade = _trade(["0001", "0002"], "0000001")
    assert read(trade).batches
    assert any("sequence number should be 2" in fault for fault in faults(_trade(["0001", "0003"], "0000001")))
    assert any("does not end as its entry" in fault for fault in faults(_trade(["0001", "0002"], "0000002")))


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_or_refused(content):
    _read_or_refused(content)


@given(st.data())
@settings(max_examples=300)
def test_any_spoilt_file_is_read_or_refused(data):
    content = bytearray(data.draw(st.sampled_from(_all_files())))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "put"]))
        if kind == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + data.draw(st.integers(1, 200))]
        else:
            content[place:place] = data.draw(st.binary(max_size=100))
        if not content:
            break
    _read_or_refused(bytes(content))


@given(st.lists(st.sampled_from(b"156789"), max_size=20), st.randoms(use_true_random=False))
def test_any_order_of_records_is_read_or_refused(kinds, random):
    records = {line[:1]: line for line in LINES[:6]} | {b"7": b"7" + b"05" + b"1" * 91}
    lines = [records[bytes([kind])] for kind in kinds]
    random.shuffle(lines)
    _read_or_refused(b"\n".join(lines))


def _all_files() -> list[bytes]:
    return [path.read_bytes() for path in sorted(DATA.glob("*/*.ach"))] + [
        _international(),
        _trade(["0001"], "0000001"),
    ]


def _read_or_refused(content: bytes) -> None:
    try:
        read(content)
    except NachaError as error:
        told = error.faults
    else:
        return
    assert told
    assert all(fault.line >= 1 for fault in told)


def _trade(numbers: list[str], ends: str) -> bytes:
    """A CTX file with addenda."""
    values = {"record_type": "7", "addenda_type": "05", "payment_related_information": "RMR*IV*1*"}
    addenda = [
        compose(layouts.ADDENDA_05, values | {"addenda_sequence_number": number, "entry_sequence_number": ends})
        for number in numbers
    ]
    content = write(file([batch([entry(1)], sec="CTX")])).content
    content = spoil(spoil(content, 3, 55, f"{len(numbers):04}Receiver"), 3, 79, "1")
    content = spoil(spoil(content, 4, 5, f"{1 + len(numbers):06}"), 5, 14, f"{1 + len(numbers):08}")
    lines = content.decode().split("\n")
    return "\n".join([*lines[:3], *addenda, *lines[3 : 10 - len(numbers)]]).encode()


def _international() -> bytes:
    """One credit of class IAT with its seven mandatory addenda and two more."""
    content = write(file([batch([entry(1)])])).content.decode().split("\n")
    header = "5200" + " " * 16 + "FF3" + " " * 15 + "US1234567890IATTRADEPAYMTCADUSD251110   1121042880000001"
    detail = f"622{content[2][3:12]}0009{' ' * 13}{content[2][29:39]}{'123456789':<35}    1{content[2][79:]}"
    addenda = [f"7{kind}{'INFORMATION':<84}0000001" for kind in range(10, 17)]
    addenda += [f"7{kind}{'INFORMATION':<80}00010000001" for kind in (17, 18)]
    control = content[3][:4] + "000010" + content[3][10:]
    end = content[4][:7] + "000002" + "00000010" + content[4][21:]
    return "\n".join([content[0], header, detail, *addenda, control, end]).encode()
