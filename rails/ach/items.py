"""What each return and notification of change in a bank's file is about, and what it does."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from rails.ach import corrections, words
from rails.ach.calendar import last_timely_day
from rails.ach.changes import CHANGES, REFUSED_CHANGES
from rails.ach.records import Entry, NachaFile, Record
from rails.ach.returns import RETURNS, ReturnReason, Stage
from rails.ach.words import Word
from rails.models import (
    AchEntry,
    AchEntryKind,
    AchFate,
    AchFileState,
    AchInboundFile,
    AchInboundItem,
    AchItemKind,
    AchItemStanding,
    AchOutcome,
    AchReversal,
)

_KINDS: Final = {
    Stage.RETURN: AchItemKind.RETURN,
    Stage.DISHONORED: AchItemKind.DISHONORED,
    Stage.CONTESTED: AchItemKind.CONTESTED,
}
_S = AchItemStanding
# Standing, words, whether a person has to look.
_Judged = tuple[AchItemStanding, str, bool]


class NotHandedOverYet(Exception):
    """A file answers one of ours that counts as not handed over; it is read again once that has been put right.

    `files`: all the files of ours that it speaks of.
    """

    def __init__(self, detail: str, files: frozenset[int]) -> None:
        super().__init__(detail)
        self.files = files


def items_of(row: AchInboundFile, file: NachaFile, *, now: datetime, today: date) -> list[AchInboundItem]:
    """The items of a file, in its order; what they do is done, in the caller's transaction. Raises NotHandedOverYet.

    The entries are locked first, so that of two files with one trace number the second finds what the first has done.
    """
    found = [(entry, entry.addenda[-1]) for _, entry in file.entries()]
    traces = {addendum["original_trace_number"] for _, addendum in found}
    ours = {
        entry.trace_number: entry
        for entry in AchEntry.objects.select_for_update(of=("self",))
        .filter(trace_number__in=traces)
        .select_related("file", "destination")
        .order_by("pk")
    }
    if any(entry.file.state == AchFileState.STAGED for entry in ours.values()):
        names = sorted({entry.file.name for entry in ours.values() if entry.file.state == AchFileState.STAGED})
        detail = f"the file answers {names[0]}, which counts as not handed over yet"
        raise NotHandedOverYet(detail, frozenset(entry.file_id for entry in ours.values()))
    return list(_Judging(row, ours, now=now, today=today).items(found))


class _Judging:
    def __init__(self, row: AchInboundFile, ours: dict[str, AchEntry], *, now: datetime, today: date) -> None:
        self.row, self.ours, self.now, self.today = row, ours, now, today
        pks = [entry.pk for entry in ours.values()]
        self.changed = set(
            AchInboundItem.objects.filter(entry_id__in=pks, kind=AchItemKind.CHANGE, standing=_S.APPLIED).values_list(
                "entry_id", "code"
            )
        )
        self.returned = set(
            AchInboundItem.objects.filter(entry_id__in=pks, kind=AchItemKind.RETURN, standing=_S.APPLIED).values_list(
                "entry_id", flat=True
            )
        )

    def items(self, found: Sequence[tuple[Entry, Record]]) -> Iterator[AchInboundItem]:
        for read, addendum in found:
            item = AchInboundItem(
                file=self.row,
                line=read.record.line,
                trace_number=addendum["original_trace_number"],
                entry=self.ours.get(addendum["original_trace_number"]),
                amount_minor=read.amount_minor,
            )
            if addendum["addenda_type"] == "98":
                self._change(item, addendum)
            else:
                self._return(item, read, addendum)
            yield item

    def _return(self, item: AchInboundItem, read: Entry, addendum: Record) -> None:
        reason = RETURNS[addendum["return_code"]]
        item.kind, item.code = _KINDS[reason.stage], reason.code
        if item.entry is not None:
            last = last_timely_day(reason.deadline, item.entry.file.effective_entry_date)
            item.is_late = reason.stage is Stage.RETURN and last is not None and self.today > last
        item.standing, said, item.waits = self._judged_return(item, reason, read, addendum)
        late = " It came after its deadline: our bank can dishonor it (R68)." if item.is_late else ""
        item.words = f"{reason}. {said}{late}"
        item.waits = item.waits or item.is_late

    def _judged_return(self, item: AchInboundItem, reason: ReturnReason, read: Entry, addendum: Record) -> _Judged:
        entry = item.entry
        if entry is None:
            return _S.UNKNOWN, "No entry of ours has this trace number.", True
        if reason.stage is not Stage.RETURN:
            return _S.NOTED, reason.follow_up, True
        if unfit := _unfit(entry, read, addendum):
            return _S.UNFIT, unfit, True
        if entry.pk in self.returned:
            return _S.REPEATED, "It was known already.", False
        self.returned.add(entry.pk)
        beside = _reversal_beside(entry)
        new = words.write(
            [
                Word(
                    entry_id=entry.pk,
                    fate=AchFate.RETURNED,
                    source=f"file {self.row.sha256[:16]}, line {read.record.line}",
                    reason=str(reason),
                    occurred_at=self.now,
                )
            ]
        )
        if entry.kind == AchEntryKind.OFFSET:
            return _S.APPLIED, "It takes back the debit of our own account. Speak to our bank at once.", True
        if entry.kind == AchEntryKind.REVERSAL:
            return _S.APPLIED, _failed_reversal(entry), True
        if not new:
            return _S.REPEATED, "The payment had come back already.", True
        user = self.row.uploaded_by
        said = str(reason.follow_up.value)
        if reason.follow_up.stops_destination and corrections.stop(entry, reason.code, user=user, now=self.now):
            said = f"{said} The destination is blocked."
        return _S.APPLIED, f"{said} {beside}".rstrip(), beside != ""

    def _change(self, item: AchInboundItem, addendum: Record) -> None:
        item.kind, item.code = AchItemKind.CHANGE, addendum["change_code"]
        item.standing, item.words, item.waits = self._judged_change(item, addendum)

    def _judged_change(self, item: AchInboundItem, addendum: Record) -> _Judged:
        title = str(CHANGES[item.code])
        if addendum.has("refused_change_code"):
            code = addendum["refused_change_code"]
            return _S.NOTED, f"{title}: our bank refused it, {code} {REFUSED_CHANGES[code]}", True
        entry = item.entry
        if entry is None:
            return _S.UNKNOWN, f"{title}: no entry of ours has this trace number", True
        if entry.kind == AchEntryKind.OFFSET:
            return _S.NOTED, f"{title}: it is about our own account. Speak to our bank", True
        if (entry.pk, item.code) in self.changed:
            return _S.REPEATED, f"{title}: it was known already", False
        self.changed.add((entry.pk, item.code))
        corrected = corrections.apply(
            entry, item.code, addendum["corrected_data"], user=self.row.uploaded_by, now=self.now
        )
        item.destination = corrected.proposal
        return _S.APPLIED, corrected.words, corrected.waits


def _reversal_beside(paid: AchEntry) -> str:
    """What a person has to know when a payment comes back that is being taken back, too; empty when it is not."""
    sent = AchReversal.objects.filter(entry=paid, sent_as__isnull=False).values_list("sent_as_id", flat=True).first()
    if sent is None or AchOutcome.objects.filter(entry_id=sent, fate=AchFate.RETURNED).exists():
        return ""
    return "It is being reversed as well: if that goes through, too, the money is back twice, and once it is theirs."


def _failed_reversal(sent: AchEntry) -> str:
    if sent.reverses.entry.outcomes.filter(fate=AchFate.RETURNED).exists():
        return "The payment had come back by itself, so nothing of it stays with the recipient."
    if sent.outcomes.filter(fate=AchFate.CONFIRMED).exists():
        return (
            "The payment had counted as taken back, but the recipient has it. Nothing is paid again before that is "
            "settled: see the work list."
        )
    return "The payment could not be taken back: it stays with the recipient."


def _unfit(entry: AchEntry, read: Entry, addendum: Record) -> str:
    """Why a return can not be one of this entry; empty when it fits."""
    if read.amount_minor != entry.amount_minor:
        return "Its amount is not the one of our entry: nothing was applied."
    if addendum["original_rdfi_identification"] != entry.rdfi[:8]:
        return "It comes from another bank than our entry went to: nothing was applied."
    if read.transaction_code[0] != entry.transaction_code[0]:
        return "It is of another kind of account than our entry: nothing was applied."
    return ""
