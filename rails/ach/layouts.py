"""Which field lies where in a record of 94 characters, and what may stand in it.

Nacha Operating Rules, Appendix Three (ACH Record Format Specifications). A table: no field is read anywhere else.
"""

from typing import Final

from rails.ach.fields import (
    ANY,
    BLANK,
    DATE,
    DATE_OR_NONE,
    DIGITS,
    DIGITS_OR_BLANK,
    JULIAN_OR_BLANK,
    MODIFIER,
    REASON,
    RECORD_LENGTH,
    REQUIRED,
    TIME_OR_BLANK,
    layout,
    one_of,
)

BLOCKING_FACTOR: Final = 10
FILLER: Final = "9" * RECORD_LENGTH

FILE_HEADER: Final = layout(
    "file header",
    ("record_type", 1, one_of("1")),
    ("priority_code", 2, one_of("01")),
    ("immediate_destination", 10, REQUIRED),
    ("immediate_origin", 10, REQUIRED),
    ("file_creation_date", 6, DATE),
    ("file_creation_time", 4, TIME_OR_BLANK),
    ("file_id_modifier", 1, MODIFIER),
    ("record_size", 3, one_of("094")),
    ("blocking_factor", 2, one_of("10")),
    ("format_code", 1, one_of("1")),
    ("immediate_destination_name", 23, ANY),
    ("immediate_origin_name", 23, ANY),
    ("reference_code", 8, ANY),
)

_SERVICE_CLASS: Final = ("service_class", 3, one_of("200", "220", "225", "280"))

BATCH_HEADER: Final = layout(
    "batch header",
    ("record_type", 1, one_of("5")),
    _SERVICE_CLASS,
    ("company_name", 16, REQUIRED),
    ("company_discretionary_data", 20, ANY),
    ("company_identification", 10, REQUIRED),
    ("standard_entry_class", 3, ANY),
    ("company_entry_description", 10, REQUIRED),
    ("company_descriptive_date", 6, ANY),
    ("effective_entry_date", 6, DATE_OR_NONE),
    ("settlement_date", 3, JULIAN_OR_BLANK),
    ("originator_status_code", 1, one_of("0", "1", "2")),
    ("odfi_identification", 8, DIGITS),
    ("batch_number", 7, DIGITS),
)

BATCH_HEADER_IAT: Final = layout(
    "batch header of IAT",
    ("record_type", 1, one_of("5")),
    _SERVICE_CLASS,
    ("iat_indicator", 16, ANY),
    ("foreign_exchange_indicator", 2, one_of("FV", "VF", "FF", "  ")),
    ("foreign_exchange_reference_indicator", 1, one_of("1", "2", "3", " ")),
    ("foreign_exchange_reference", 15, ANY),
    ("destination_country", 2, ANY),
    ("company_identification", 10, ANY),
    ("standard_entry_class", 3, ANY),
    ("company_entry_description", 10, REQUIRED),
    ("originating_currency", 3, ANY),
    ("destination_currency", 3, ANY),
    ("effective_entry_date", 6, DATE_OR_NONE),
    ("settlement_date", 3, JULIAN_OR_BLANK),
    ("originator_status_code", 1, one_of("0", "1", "2")),
    ("odfi_identification", 8, DIGITS),
    ("batch_number", 7, DIGITS),
)

ENTRY: Final = layout(
    "entry detail",
    ("record_type", 1, one_of("6")),
    ("transaction_code", 2, DIGITS),
    ("rdfi_identification", 8, DIGITS),
    ("check_digit", 1, DIGITS),
    ("account_number", 17, REQUIRED),
    ("amount", 10, DIGITS),
    ("individual_identification", 15, ANY),
    ("individual_name", 22, ANY),
    ("discretionary_data", 2, ANY),
    ("addenda_indicator", 1, one_of("0", "1")),
    ("trace_number", 15, DIGITS),
)

ENTRY_IAT: Final = layout(
    "entry detail of IAT",
    ("record_type", 1, one_of("6")),
    ("transaction_code", 2, DIGITS),
    ("rdfi_identification", 8, DIGITS),
    ("check_digit", 1, DIGITS),
    ("number_of_addenda", 4, DIGITS),
    ("reserved", 13, BLANK),
    ("amount", 10, DIGITS),
    ("account_number", 35, REQUIRED),
    ("reserved_2", 2, BLANK),
    ("gateway_screening", 1, ANY),
    ("secondary_screening", 1, ANY),
    ("addenda_indicator", 1, one_of("0", "1")),
    ("trace_number", 15, DIGITS),
)

ENTRY_ADV: Final = layout(
    "entry detail of ADV",
    ("record_type", 1, one_of("6")),
    ("transaction_code", 2, DIGITS),
    ("rdfi_identification", 8, DIGITS),
    ("check_digit", 1, DIGITS),
    ("account_number", 15, REQUIRED),
    ("amount", 12, DIGITS),
    ("advice_routing_number", 9, DIGITS),
    ("file_identification", 5, ANY),
    ("operator_data", 1, ANY),
    ("individual_name", 22, ANY),
    ("discretionary_data", 2, ANY),
    ("addenda_indicator", 1, one_of("0", "1")),
    ("operator_routing_number", 8, DIGITS),
    ("julian_day", 3, DIGITS),
    ("sequence_number", 4, DIGITS),
)

_ADDENDA: Final = (("record_type", 1, one_of("7")), ("addenda_type", 2, DIGITS))
_TRACE: Final = ("trace_number", 15, DIGITS)

ADDENDA_02: Final = layout("addenda 02", *_ADDENDA, ("terminal_information", 76, ANY), _TRACE)
ADDENDA_05: Final = layout(
    "addenda 05",
    *_ADDENDA,
    ("payment_related_information", 80, ANY),
    ("addenda_sequence_number", 4, DIGITS),
    ("entry_sequence_number", 7, DIGITS),
)
ADDENDA_IAT: Final = layout("addenda of IAT", *_ADDENDA, ("information", 84, ANY), ("entry_sequence_number", 7, DIGITS))
ADDENDA_IAT_COUNTED: Final = layout(
    "addenda 17 or 18 of IAT",
    *_ADDENDA,
    ("information", 80, ANY),
    ("addenda_sequence_number", 4, DIGITS),
    ("entry_sequence_number", 7, DIGITS),
)
ADDENDA_98: Final = layout(
    "addenda 98 (notification of change)",
    *_ADDENDA,
    ("change_code", 3, REASON),
    ("original_trace_number", 15, DIGITS),
    ("reserved", 6, BLANK),
    ("original_rdfi_identification", 8, DIGITS),
    ("corrected_data", 29, ANY),
    ("reserved_2", 15, BLANK),
    _TRACE,
)
ADDENDA_98_REFUSED: Final = layout(
    "addenda 98 (refused notification of change)",
    *_ADDENDA,
    ("refused_change_code", 3, REASON),
    ("original_trace_number", 15, DIGITS),
    ("reserved", 6, BLANK),
    ("original_rdfi_identification", 8, DIGITS),
    ("corrected_data", 29, ANY),
    ("change_code", 3, REASON),
    ("trace_sequence_number", 7, DIGITS),
    ("reserved_2", 5, BLANK),
    _TRACE,
)
ADDENDA_99: Final = layout(
    "addenda 99 (return)",
    *_ADDENDA,
    ("return_code", 3, REASON),
    ("original_trace_number", 15, DIGITS),
    ("date_of_death", 6, DATE_OR_NONE),
    ("original_rdfi_identification", 8, DIGITS),
    ("information", 44, ANY),
    _TRACE,
)
ADDENDA_99_DISHONORED: Final = layout(
    "addenda 99 (dishonored return)",
    *_ADDENDA,
    ("return_code", 3, REASON),
    ("original_trace_number", 15, DIGITS),
    ("reserved", 6, BLANK),
    ("original_rdfi_identification", 8, DIGITS),
    ("reserved_2", 3, BLANK),
    ("return_trace_number", 15, DIGITS),
    ("return_settlement_date", 3, JULIAN_OR_BLANK),
    ("return_reason", 2, DIGITS),
    ("information", 21, ANY),
    _TRACE,
)
ADDENDA_99_CONTESTED: Final = layout(
    "addenda 99 (contested dishonored return)",
    *_ADDENDA,
    ("return_code", 3, REASON),
    ("original_trace_number", 15, DIGITS),
    ("date_original_entry_returned", 6, DIGITS_OR_BLANK),
    ("original_rdfi_identification", 8, DIGITS),
    ("original_settlement_date", 3, DIGITS_OR_BLANK),
    ("return_trace_number", 15, DIGITS_OR_BLANK),
    ("return_settlement_date", 3, DIGITS_OR_BLANK),
    ("return_reason", 2, DIGITS_OR_BLANK),
    ("dishonored_return_trace_number", 15, DIGITS_OR_BLANK),
    ("dishonored_return_settlement_date", 3, DIGITS_OR_BLANK),
    ("dishonored_return_reason", 2, DIGITS_OR_BLANK),
    ("reserved", 1, BLANK),
    _TRACE,
)

BATCH_CONTROL: Final = layout(
    "batch control",
    ("record_type", 1, one_of("8")),
    _SERVICE_CLASS,
    ("entry_addenda_count", 6, DIGITS),
    ("entry_hash", 10, DIGITS),
    ("total_debits", 12, DIGITS),
    ("total_credits", 12, DIGITS),
    ("company_identification", 10, ANY),
    ("message_authentication_code", 19, ANY),
    ("reserved", 6, BLANK),
    ("odfi_identification", 8, DIGITS),
    ("batch_number", 7, DIGITS),
)
BATCH_CONTROL_ADV: Final = layout(
    "batch control of ADV",
    ("record_type", 1, one_of("8")),
    _SERVICE_CLASS,
    ("entry_addenda_count", 6, DIGITS),
    ("entry_hash", 10, DIGITS),
    ("total_debits", 20, DIGITS),
    ("total_credits", 20, DIGITS),
    ("operator_data", 19, ANY),
    ("odfi_identification", 8, DIGITS),
    ("batch_number", 7, DIGITS),
)
FILE_CONTROL: Final = layout(
    "file control",
    ("record_type", 1, one_of("9")),
    ("batch_count", 6, DIGITS),
    ("block_count", 6, DIGITS),
    ("entry_addenda_count", 8, DIGITS),
    ("entry_hash", 10, DIGITS),
    ("total_debits", 12, DIGITS),
    ("total_credits", 12, DIGITS),
    ("reserved", 39, BLANK),
)
FILE_CONTROL_ADV: Final = layout(
    "file control of ADV",
    ("record_type", 1, one_of("9")),
    ("batch_count", 6, DIGITS),
    ("block_count", 6, DIGITS),
    ("entry_addenda_count", 8, DIGITS),
    ("entry_hash", 10, DIGITS),
    ("total_debits", 20, DIGITS),
    ("total_credits", 20, DIGITS),
    ("reserved", 23, BLANK),
)
