"""The fleet's lines in one format: a row for each target, a column for each family.

A row is written again when its target changed; what is shown is joined from the columns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from exporter.gzipped import Packed, pack
from exporter.metrics import FAMILIES, Family
from exporter.record import TargetRecord
from exporter.template import Key, Place, Template, escaped, line, template_of

_STEP = 128
_TURN = {family: turn for turn, family in enumerate(FAMILIES)}


@dataclass(kw_only=True, slots=True)
class _Row:
    """A target, and what its lines were made of."""

    record: TargetRecord
    name: bytes
    version: int = -1
    stale: bool = False
    template: Template | None = None
    settled: tuple[object, ...] = ()
    facts: Sequence[Family] = ()
    series: int = 0


class Shown:
    """What a sheet showed at one time; it stays the same object as long as nothing changed.

    `series` says how many lines there are, `left_out` how many more without the cap.
    """

    def __init__(self, parts: Sequence[Sequence[bytes]], *, series: int, left_out: int) -> None:
        self._parts = parts
        self._blocks: Sequence[bytes] | None = None
        self._is_asked_again = False
        self._packed: Packed | None = None
        self.series = series
        self.left_out = left_out

    def blocks(self) -> Iterable[bytes]:
        """Yield each family with its header; they are kept from the second time on.

        Most are asked for once, and ten thousand targets have 85 MB: one block at a time is held.
        """
        if self._is_asked_again and self._blocks is None:
            self._blocks = [b"".join(lines) for lines in self._parts]
        self._is_asked_again = True
        return map(b"".join, self._parts) if self._blocks is None else self._blocks

    def packed(self) -> Packed:
        """Return the blocks compressed, which is done once."""
        if self._packed is None:
            self._packed = pack(map(b"".join, self._parts))
        return self._packed


class Sheet:
    """One format's lines; a target that has not changed costs a look at its version."""

    def __init__(self, headers: Mapping[Family, bytes], *, exemplified: bool) -> None:
        self._headers = headers
        self._exemplified = exemplified
        self._rows: Sequence[_Row] = ()
        self._columns: dict[Place, list[bytes]] = {}
        self._of_template: dict[Template, Sequence[list[bytes]]] = {}
        self._is_changed = False
        self._most_series = -1
        self.shown = Shown((), series=0, left_out=0)

    def update(
        self, records: Sequence[TargetRecord], *, now: float, most_series: int
    ) -> Iterator[None]:
        """Bring `shown` up to date, in steps that take less than a millisecond each."""
        self._seat(records)
        work = 0
        for place, row in enumerate(self._rows):
            record = row.record
            stale = record.is_stale(now)
            work += 1
            if row.version != record.version or row.stale is not stale:
                row.version, row.stale = record.version, stale
                self._is_changed = True
                self._write(place, row, now)
                work += _STEP // 8
            if work >= _STEP:
                work = 0
                yield
        if self._is_changed or self._most_series != most_series:
            yield from self._show(most_series)
            self._is_changed, self._most_series = False, most_series

    def _show(self, most_series: int) -> Iterator[None]:
        """Show the lines of as many targets as have room, whole ones in their order."""
        totals = list(accumulate([row.series for row in self._rows], initial=0))
        most = bisect_right(totals, most_series) - 1
        parts: dict[Family, list[bytes]] = {}
        for family, label in sorted(self._columns, key=_turn):
            lines = self._columns[family, label][:most]
            if any(lines):
                parts.setdefault(family, [self._headers[family]]).extend(lines)
            yield
        series = totals[most]
        self.shown = Shown(list(parts.values()), series=series, left_out=totals[-1] - series)

    def _seat(self, records: Sequence[TargetRecord]) -> None:
        """Give each record a row; those that stay keep their lines, those gone leave none."""
        if [row.record for row in self._rows] == list(records):
            return
        before = {id(row.record): (place, row) for place, row in enumerate(self._rows)}
        rows, places = [], []
        for record in records:
            place, row = before.get(id(record), (None, None))
            name = escaped(record.target.name or "").encode()
            rows.append(row or _Row(record=record, name=name))
            places.append(place)
        self._rows, self._is_changed = rows, True
        for key, column in self._columns.items():
            self._columns[key] = [b"" if place is None else column[place] for place in places]
        self._columns = {key: column for key, column in self._columns.items() if any(column)}
        self._of_template.clear()

    def _write(self, place: int, row: _Row, now: float) -> None:
        record = row.record
        keys, values = record.figures(now)
        template = row.template
        if (
            template is None
            or template.keys != keys
            or len(template.histograms) != len(record.histograms)  # none ever goes
        ):
            template = self._shape(place, row, keys)
        pieces = template.pieces(
            values, record.histograms.values(), row.name, exemplified=self._exemplified
        )
        for column, piece in zip(self._columns_of(template), pieces, strict=True):
            column[place] = piece
        settled = record.settled(now)
        if row.settled != settled:
            row.settled = settled
            self._write_facts(place, row, now)
        row.series = template.series + len(row.facts)

    def _shape(self, place: int, row: _Row, keys: tuple[Key, ...]) -> Template:
        """Give a row another template; nothing is left of what the one before had more."""
        for column in self._columns_of(row.template) if row.template else ():
            column[place] = b""
        row.template = template_of(keys, tuple(row.record.histograms))
        return row.template

    def _write_facts(self, place: int, row: _Row, now: float) -> None:
        for family in row.facts:
            self._column((family, ""))[place] = b""
        facts = row.record.facts(now)
        row.facts = [family for family, _, _ in facts]
        for family, labels, value in facts:
            self._column((family, ""))[place] += line(family, labels, value, row.name)

    def _columns_of(self, template: Template) -> Sequence[list[bytes]]:
        found = self._of_template.get(template)
        if found is None:
            found = self._of_template[template] = [self._column(key) for key in template.places]
        return found

    def _column(self, key: Place) -> list[bytes]:
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = [b""] * len(self._rows)
        return column


def _turn(key: Place) -> tuple[int, str]:
    return _TURN[key[0]], key[1]
