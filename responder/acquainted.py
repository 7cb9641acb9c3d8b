"""The incidents that a batch of posts has to do with, as the store and the batch itself left them.

What an alert may be placed among is looked up, not searched for: a post of thousands of alerts
on one component costs as much for each of them as a post of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from responder.incident import Known
from responder.store.admissions import MOST_KNOWN, Acquaintance

Found = tuple[str, ...]


class Acquainted:
    """What is known of incidents, and which of them each key finds."""

    def __init__(self, horizon_seconds: float) -> None:
        """Begin with none; what was over and quiet for longer than the horizon is no candidate."""
        self._horizon_seconds = horizon_seconds
        self._known: dict[str, Known] = {}
        # By key the incidents that it finds, the one that an alert joined last at the end.
        self._by_key: dict[str, dict[str, None]] = {}
        # What the alert before was placed among: its neighbours in a post are, too.
        self._among: tuple[Found, float, list[Known]] | None = None

    def __getitem__(self, incident_id: str) -> Known:
        """Give what is known of an incident that is a candidate."""
        return self._known[incident_id]

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Give the keys of which it is not known yet what they find."""
        return [key for key in wanted if key not in self._by_key]

    def meet(self, found: Acquaintance) -> None:
        """Take in what the store has; what the batch did already is newer than that."""
        for key, newest_first in found.by_key.items():
            self._by_key[key] = dict.fromkeys(reversed(newest_first))
        self._known = {**found.incidents, **self._known}

    def again(self, found_by: Found, at: float) -> Sequence[Known] | None:
        """Give the candidates once more where nothing has changed since they were asked for."""
        among = self._among
        is_same = among is not None and among[0] == found_by and among[1] == at
        return among[2] if among is not None and is_same else None

    def candidates(self, found_by: Found, at: float) -> Sequence[Known]:
        """Give the incidents that an alert with these keys may belong to.

        Of each key the newest decide, as they do when they are read from the store: those of
        other targets on one component are many, and none of them is apt.
        """
        since = at - self._horizon_seconds
        known = [self._known[each] for each in self.ids(found_by) if each in self._known]
        apt = [each for each in known if each.joined_at >= since or not each.is_resolved]
        self._among = (found_by, at, apt)
        return apt

    def ids(self, found_by: Found) -> Mapping[str, None]:
        """Give the newest incidents of each key."""
        if len(found_by) == 1 and len(self._by_key[found_by[0]]) <= MOST_KNOWN:
            return self._by_key[found_by[0]]
        found: dict[str, None] = {}
        for key in found_by:
            found.update(dict.fromkeys(islice(reversed(self._by_key[key]), MOST_KNOWN)))
        return found

    def change(self, known: Known) -> None:
        """Take in what has become of an incident."""
        self._known[known.id] = known
        self._among = None

    def update(self, known: Mapping[str, Known]) -> None:
        """Take in what has become of several."""
        self._known.update(known)
        self._among = None

    def forget(self) -> None:
        """Look at the candidates of the next alert anew."""
        self._among = None

    def lead(self, found_by: Found, incident_id: str) -> list[str]:
        """Have keys find the incident, as their newest; give those that did not yet."""
        new = []
        for key in found_by:
            ids = self._by_key[key]
            if incident_id not in ids:
                new.append(key)
                self._among = None
            elif len(ids) > 1:
                del ids[incident_id]
            ids[incident_id] = None
        return new
