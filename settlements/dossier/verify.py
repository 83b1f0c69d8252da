"""Checks a dossier of ChainPay with nothing but Python 3.11 or newer.

    python3 -I verify.py [FOLDER or ZIP] [--key FINGERPRINT]

Without a path the folder is checked that this file lies in. Ends with 0 if all of it holds; with 1 and the first thing
that does not; with 2 if it was called wrongly. It reads only, asks nobody, and runs nothing of the dossier.

A dossier that brings its own key proves nothing by itself: whoever made it could have made the key as well. Pass the
fingerprint that ChainPay gave you by another way with --key. Take this file from there, too, rather than from the ZIP.
"""

import argparse
import hashlib
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
Row = dict[str, Any]


class Wrong(Exception):
    """Something does not hold; the words name it."""


# ---- Ed25519: verification by RFC 8032, section 5.1, in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def added(a: Point, b: Point) -> Point:
    """The sum of two points (5.1.4)."""
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    """The point added to itself so many times."""
    result: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = added(result, point)
        point, factor = added(point, point), factor >> 1
    return result


def decoded(text: bytes) -> Point | None:
    """The point that 32 bytes stand for (5.1.3); None if they stand for none."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if len(text) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (not x and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decoded((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether this is the key's signature of the message (5.1.7): S*B is R + k*A."""
    key, r = decoded(public_key), decoded(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or r is None or BASE is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), added(r, times(k, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# ---- The files, and that they are those that were handed out

OUTSIDE = {"manifest.json", "manifest.sig"}  # of the manifest's own list
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)


def read(place: Path) -> Files:
    """Every file of the folder or the ZIP, by name."""
    if place.is_dir():
        names = [path for path in sorted(place.iterdir()) if path.name[0] not in "._"]
        return {path.name: path.read_bytes() if path.is_file() else b"" for path in names}
    with whole(place.name), zipfile.ZipFile(place) as archive:
        listed = archive.namelist()
        for name in listed:
            need(listed.count(name) == 1, f"{name}: it is in the ZIP more than once")
        return {each.filename: member(archive, each) for each in archive.infolist()}


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One file of the ZIP."""
    with whole(entry.filename):
        usual = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        need(usual, f"{entry.filename}: no dossier is compressed so")
        return archive.read(entry)


@contextmanager
def whole(name: str) -> Iterator[None]:
    """Whatever a damaged ZIP makes Python raise is told with the name of what can not be read."""
    try:
        yield
    except DAMAGED as error:
        raise Wrong(f"{name}: it can not be read from a sound ZIP ({error})") from error


def need(holds: object, otherwise: str) -> None:
    """Ends the check with these words unless the first argument holds."""
    if not holds:
        raise Wrong(otherwise)


def check_files(files: Files) -> str:
    """The manifest is signed, each file is what it says, and no other is there."""
    signature, key = bytes.fromhex(files["manifest.sig"].decode()), bytes.fromhex(files["public_key.txt"].decode())
    need(is_signed(files["manifest.json"], signature, key), "manifest.json: its signature is not that of the key")
    manifest = json.loads(files["manifest.json"])
    need(manifest["kind"] == "chainpay dossier 1", "manifest.json: not of a dossier that this program knows")
    for name, digest in manifest["files"].items():
        need(name in files, f"{name}: it is missing")
        need(hashlib.sha256(files[name]).hexdigest() == digest, f"{name}: it is not what it was, by its SHA-256")
    for name in files:
        need(name in OUTSIDE or name in manifest["files"], f"{name}: it does not belong to the dossier")
    return f"{len(manifest['files'])} files are what was handed out"


# ---- The chain of audit events, and that it is complete as of the checkpoint


def check_chain(files: Files) -> str:
    """One intent's events from the first on, each hashed with the hash of the one before it, end in the leaf."""
    intent_id, last, count = json.loads(files["manifest.json"])["intent_id"], bytes(32), 0
    for line in files["chain.jsonl"].splitlines():
        count += 1
        event, name = json.loads(line), f"chain.jsonl, line {count}"
        need(event["intent_id"] == intent_id, f"{name}: it is of intent {event['intent_id']}, not of {intent_id}")
        need(event["sequence"] == count, f"{name}: event {event['sequence']} stands where event {count} should")
        last = hashlib.sha256(last + line).digest()
    name, of, length, head = json.loads(files["proof.json"])["leaf"].split(" ")
    need((name, of) == ("intent", str(intent_id)), f"proof.json: its leaf is of {name} {of}")
    need(int(length) == count, f"chain.jsonl: it has {count} events, but the checkpoint saw {length}")
    need(head == last.hex(), "chain.jsonl: its hashes do not lead to what the checkpoint saw: an event is another")
    return f"{count} audit events are chained to {head[:16]}..."


def check_proof(files: Files) -> str:
    """The chain's head is a leaf under the checkpoint's root, and the checkpoint is signed (RFC 6962, 2.1)."""
    proof, key = json.loads(files["proof.json"]), bytes.fromhex(files["public_key.txt"].decode())
    body = json.loads(proof["checkpoint"])
    need(body["kind"] == "chainpay checkpoint 1", "proof.json: not a checkpoint that this program knows")
    need(body["key"] == hashlib.sha256(key).hexdigest(), "proof.json: its checkpoint names another key")
    signed = is_signed(proof["checkpoint"].encode(), bytes.fromhex(proof["signature"]), key)
    need(signed, "proof.json: the signature of the checkpoint is not that of the key")
    leaf = hashlib.sha256(b"\x00" + proof["leaf"].encode()).digest()
    path = [bytes.fromhex(node) for node in proof["path"]]
    root = root_above(leaf, proof["position"], body["size"], path)
    need(root.hex() == body["root"], "proof.json: the way from the leaf does not lead to the signed root")
    return f"checkpoint {body['number']} of {body['created_at']} covers it, with {body['size']} chains in all"


def root_above(leaf: bytes, position: int, size: int, path: list[bytes]) -> bytes:
    """The root of a tree of that size if the leaf is at the position; `path` holds its neighbours from below."""
    need(0 <= position < size, "proof.json: there is no leaf at its position")
    if size == 1:
        need(not path, "proof.json: the way from the leaf is too long")
        return leaf
    need(path, "proof.json: the way from the leaf is too short")
    split = 1 << (size - 1).bit_length() - 1
    if position < split:
        return hashlib.sha256(b"\x01" + root_above(leaf, position, split, path[:-1]) + path[-1]).digest()
    return hashlib.sha256(b"\x01" + path[-1] + root_above(leaf, position - split, size - split, path[:-1])).digest()


# ---- The records, as far as the chain speaks of them

DECISION = ("strategy", "risk_tier", "risk_score", "rule", "explanation", "policy_version", "inputs")
CREATION = ("event_type", "amount", "currency", "origin", "event_id")
APPROVED = ("approval_recorded", "expedite_approved", "retry_approved")


def events_of(files: Files) -> list[Row]:
    """The audit events."""
    return [json.loads(line) for line in files["chain.jsonl"].splitlines()]


def same(name: str, record: Row, told: Row, keys: tuple[str, ...]) -> None:
    """The record says what the chain does."""
    for key in keys:
        words = f"{name}: its {key} is {record[key]!r}, but by the audit chain it is {told[key]!r}"
        need(record[key] == told[key], words)


def replayed(files: Files) -> dict[int, Row]:
    """Each settlement as the chain leaves it."""
    settlements: dict[int, Row] = {}
    for event in events_of(files):
        data, known = event["data"], settlements.get(event["settlement_id"])
        if event["action"] == "settlement_created":
            told = {key: data[key] for key in (*CREATION, *DECISION, "reference")}
            settlements[event["settlement_id"]] = {**told, "status": event["to_status"]}
        elif known is not None:
            known["status"] = event["to_status"] or known["status"]
            known["reference"] = data.get("reference") or known["reference"]
            if "strategy" in data:
                known.update({key: data[key] for key in DECISION if key in data})
    return settlements


def check_decisions(files: Files) -> str:
    """Intent and settlements, with what was decided and by which inputs, are what the chain leads to."""
    intent, settlements = json.loads(files["intent.json"]), json.loads(files["settlements.json"])
    keys = ("amount", "currency", "shipment_id", "freight_token_id", "recipient_id", "schedule")
    same("intent.json", intent, events_of(files)[0]["data"], keys)
    cancelled = [event["created_at"] for event in events_of(files) if event["action"] == "intent_cancelled"]
    same("intent.json", intent, {"cancelled_at": cancelled[0] if cancelled else None}, ("cancelled_at",))
    told = replayed(files)
    stored = {row["id"]: row for row in settlements}
    need(len(stored) == len(settlements), "settlements.json: a settlement is in it twice")
    for missing in told.keys() - stored.keys():
        raise Wrong(f"settlements.json: settlement {missing} is missing, the audit chain tells of it")
    for id_, row in stored.items():
        need(id_ in told, f"settlements.json: settlement {id_} is foreign, the audit chain does not tell of it")
        same(f"settlements.json, settlement {id_}", row, told[id_], (*CREATION, *DECISION, "reference", "status"))
    return f"{len(settlements)} settlements and their decisions are what the chain leads to"


def check_approvals(files: Files) -> str:
    """Every decision of an officer is told by the chain, and none that it tells of is missing."""
    told = {}
    for event in events_of(files):
        if event["action"] in (*APPROVED, "rejected"):
            decision = "REJECT" if event["action"] == "rejected" else "APPROVE"
            of = f"settlement {event['settlement_id']}, {decision} at {event['created_at']}"
            # Older events do not tell all of it.
            told[of] = {"reason": event["reason"]}
            told[of].update({key: event["data"][key] for key in ("version", "channel") if key in event["data"]})
    stored = {}
    for row in json.loads(files["approvals.json"]):
        of = f"settlement {row['settlement_id']}, {row['decision']} at {row['created_at']}"
        need(of in told and of not in stored, f"approvals.json, {of}: the audit chain does not tell of it")
        same(f"approvals.json, {of}", row, told[of], tuple(told[of]))
        stored[of] = row
    for of in told.keys() - stored.keys():
        raise Wrong(f"approvals.json, {of}: it is missing, the audit chain tells of it")
    return f"{len(stored)} decisions of officers are those of the chain"


def check_holds(files: Files) -> str:
    """Every hold was placed and lifted as the chain tells, and none that it tells of is missing."""
    told: dict[int, list[Row]] = {}
    for event in events_of(files):
        holds, by, at = told.setdefault(event["settlement_id"], []), event["triggered_by"], event["created_at"]
        if event["action"] == "hold_placed":
            placed = {"reason": event["reason"], "placed_by": by, "placed_at": at}
            holds.append({**placed, "lifted_by": "", "lifted_at": None, "lift_reason": ""})
        elif event["action"] == "hold_lifted":
            holds[-1].update({"lifted_by": by, "lifted_at": at, "lift_reason": event["reason"]})
    stored: dict[int, list[Row]] = {}
    for row in json.loads(files["holds.json"]):
        stored.setdefault(row["settlement_id"], []).append(row)
    for id_ in told.keys() | stored.keys():
        own, by_chain, name = stored.get(id_, []), told.get(id_, []), f"holds.json, settlement {id_}"
        need(len(own) == len(by_chain), f"{name}: it has {len(own)} holds, but by the audit chain {len(by_chain)}")
        for number, (row, hold) in enumerate(zip(own, by_chain, strict=True), 1):
            same(f"{name}, hold {number}", row, hold, tuple(hold))
    return f"{sum(map(len, stored.values()))} holds are those of the chain"


def check_events(files: Files) -> str:
    """The messages that brought settlements are there, and all of them are about the intent's shipment."""
    shipment = events_of(files)[0]["data"]["shipment_id"]
    stored = {row["id"]: row for row in json.loads(files["events.json"])}
    for row in stored.values():
        need(row["shipment_id"] == shipment, f"events.json, event {row['id']}: it is of another shipment")
    for id_, settlement in replayed(files).items():
        event = stored.get(settlement["event_id"])
        name = f"events.json, event {settlement['event_id']}"
        need(event or settlement["event_id"] is None, f"{name}: it is missing, it brought settlement {id_}")
        if event:
            same(name, event, settlement, ("event_type",))
    return f"{len(stored)} messages received are there"


def check_attempts(files: Files) -> str:
    """Instructions to providers and their answers are of these settlements and amounts, and those the chain names."""
    told, stored = replayed(files), {}
    for row in json.loads(files["attempts.json"]):
        name = f"attempts.json, attempt {row['number']} of settlement {row['settlement_id']}"
        need(row["settlement_id"] in told, f"{name}: the audit chain does not tell of that settlement")
        same(name, row, told[row["settlement_id"]], ("amount", "currency"))
        stored[row["settlement_id"], row["number"]] = row
    for event in events_of(files):
        data, number = event["data"], event["data"].get("attempt")
        if number is None or "source" not in data:
            continue
        name = f"attempts.json, attempt {number} of settlement {event['settlement_id']}"
        attempt = stored.get((event["settlement_id"], number))
        need(attempt, f"{name}: it is missing, audit event {event['sequence']} tells of it")
        answers = [answer["source"] for answer in attempt["answers"]] if attempt else []
        need(data["source"] in answers, f"{name}: the answer of audit event {event['sequence']} is missing")
    return f"{len(stored)} attempts at providers are there"


def check_journal(files: Files) -> str:
    """Entries equal their postings, and what is released and not returned is what the chain says is out."""
    told, entries = replayed(files), json.loads(files["journal.json"])
    for entry in entries:
        name = f"journal.json, entry {entry['reference']}"
        need(entry["settlement_id"] in told, f"{name}: the audit chain does not tell of its settlement")
        amount = Decimal(entry["amount"])
        need(sum(Decimal(p["amount"]) for p in entry["postings"]) == amount, f"{name}: its postings are not its amount")
        for posting in entry["postings"]:
            need(posting["debit"] != posting["credit"], f"{name}: a posting moves nothing")
            need(posting["currency"] == entry["currency"], f"{name}: a posting is in another currency")
        need(entry["currency"] == told[entry["settlement_id"]]["currency"], f"{name}: it is in another currency")
    for id_, settlement in told.items():
        name, own = f"journal.json, settlement {id_}", [e for e in entries if e["settlement_id"] == id_]
        returned = [e for e in own if e["kind"] == "return"]
        standing = []
        for release in (e for e in own if e["kind"] == "release"):
            back = sum(Decimal(e["amount"]) for e in returned if e["reverses"] == release["id"])
            standing += [release] if back < Decimal(release["amount"]) else []
        if settlement["status"] in ("APPROVED", "SETTLED"):
            need(len(standing) == 1, f"{name}: the audit chain says it is paid, but {len(standing)} releases stand")
            same(name, standing[0], settlement, ("amount",))
        elif settlement["status"] != "RELEASING":
            need(not standing, f"{name}: a release stands, but the audit chain says {settlement['status'].lower()}")
    return f"{len(entries)} journal entries balance and are what the chain says was paid"


CHECKS = (check_files, check_chain, check_proof, check_decisions, check_approvals, check_holds, check_events,
          check_attempts, check_journal)  # fmt: skip


def check(files: Files) -> list[str]:
    """What holds, check by check. Raises Wrong at the first thing that does not."""
    held = []
    for each in CHECKS:
        try:
            held.append(each(files))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise Wrong(f"{each.__name__}: a file is missing or can not be read ({error!r})") from error
    return held


def main(words: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Checks a dossier of ChainPay.")
    parser.add_argument("place", nargs="?", default=str(Path(__file__).resolve().parent), help="folder or ZIP")
    parser.add_argument("--key", help="fingerprint of the key, as ChainPay gave it to you: 64 hexadecimal digits")
    asked = parser.parse_args(words)
    wanted = None if asked.key is None else asked.key.lower().replace(":", "").replace(" ", "")
    if wanted is not None and not re.fullmatch("[0-9a-f]{64}", wanted):
        parser.error(f"--key takes a fingerprint of 64 hexadecimal digits, not {asked.key!r}")
    try:
        files = read(Path(asked.place))
        held = check(files)
        fingerprint = hashlib.sha256(bytes.fromhex(files["public_key.txt"].decode())).hexdigest()
        need(wanted in (None, fingerprint), f"public_key.txt: its fingerprint is {fingerprint}, not {wanted}")
    except (Wrong, OSError) as wrong:
        print(f"WRONG  {wrong}", file=sys.stderr)
        return 1
    for line in held:
        print(f"ok     {line}")
    if wanted:
        print("All of it holds, under the key that you passed.")
    else:
        print(f"All of it holds, but only under the key that the dossier itself brings:\n{fingerprint}")
        print("Compare this fingerprint with the one that ChainPay gave you by another way, or pass that with --key.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
