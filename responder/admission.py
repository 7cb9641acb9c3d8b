"""Takes posts into the store, many in one go: load what is known, decide in memory, write it all.

Each post of a batch sees what those before it did, as if each had been a transaction of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from responder.acquainted import Acquainted
from responder.alert import Alert, AlertStatus, Delivery, Episode
from responder.incident import (
    WATCHDOG,
    IncidentState,
    Known,
    Motion,
    Placement,
    Policy,
    keys,
    motion,
    place,
    turn,
)
from responder.joining import Joiners, is_as_before
from responder.membership import as_joined, as_opened
from responder.settlement import announce_joining, settle
from responder.store import admissions, episodes
from responder.store.deliveries import Raw
from responder.store.engine import Connection, serialise
from responder.store.episodes import Stored
from responder.store.incidents import Opening

# If it was none, the comparison finds that it still fires once an old post cannot be on its way.
REPEATED = "fires again just after its end: taken as a late repeat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What intake goes by; read anew for each batch, so that a reload reaches it."""

    policy: Policy
    channels: tuple[str, ...]
    pending_limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A delivery to take in; `at` is now, `raw.received_at` when it came.

    `is_late`: it was learnt otherwise than by a webhook in its time, so that it may speak of
    what was over long ago. `is_stored`: its body is there already.
    """

    raw: Raw
    delivery: Delivery
    at: float
    is_late: bool = False
    is_stored: bool = False


def admit(
    connection: Connection, posts: Sequence[Post], rules: Rules
) -> Sequence[bool | Exception]:
    """Store *posts* and all that follows from them; tell of each whether anything was new.

    A post that our own code fails on gets its Exception and is not stored; the others are.
    Raises it where the others cannot be told apart from it any more.
    """
    serialise(connection)
    failed: dict[int, Exception] = {}
    while True:
        left = [index for index in range(len(posts)) if index not in failed]
        batch = _Batch(connection, [posts[index] for index in left], rules)
        try:
            news = batch.take()
        except _PostError as error:
            if batch.has_written:
                raise error.cause from None
            failed[left[error.index]] = error.cause
            continue
        batch.finish()
        outcome = dict(zip(left, news, strict=True)) | failed
        return [outcome[index] for index in range(len(posts))]


class _PostError(Exception):
    """One post of a batch cannot be decided upon."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(index)
        self.index = index
        self.cause = cause


@dataclass(kw_only=True, slots=True)
class _Taking:
    """One post while it is taken in; `touched` are the incidents that it may have ended."""

    post: Post
    touched: dict[str, None] = field(default_factory=dict)


class _Batch:
    """What is known while a batch is decided upon, and what is to be written of it."""

    def __init__(self, connection: Connection, posts: Sequence[Post], rules: Rules) -> None:
        self._connection = connection
        self._posts = posts
        self._rules = rules
        self._added = admissions.Additions()
        self._joiners = Joiners()
        self._latest: dict[str, Stored] = {}
        # Of which fingerprints the batch has more than one alert: what is done to others is not
        # asked for again.
        self._told_again: set[str] = set()
        self._acquainted = Acquainted(rules.policy.horizon_seconds)
        self._open: dict[str, int] = {}
        self._found_by: dict[int, tuple[str, ...]] = {}
        # Incidents that may be over, and since when; each is settled before it is looked at again.
        self._due: dict[str, float] = {}
        # One draw for a batch, then counted on: rows that come together lie together.
        self._lot, self._drawn = os.urandom(12).hex(), count()
        self.has_written = False

    def take(self) -> list[bool]:
        """Decide upon all posts; raises _PostError."""
        self._load()
        news = []
        for index, post in enumerate(self._posts):
            try:
                news.append(self._take(_Taking(post=post)))
            except Exception as error:
                raise _PostError(index, error) from error
        return news

    def finish(self) -> None:
        """Write what is left and settle what is over."""
        self._added.log.extend(self._joiners.lines(None))
        self._catch_up()

    def _load(self) -> None:
        alerts = [(alert, post) for post in self._posts for alert in post.delivery.alerts]
        told = Counter([alert.fingerprint for alert, _ in alerts])
        self._told_again = {each for each, times in told.items() if times > 1}
        self._latest = dict(episodes.latest(self._connection, told.keys()))
        wanted: dict[str, None] = {}
        ending: dict[str, None] = {}
        for alert, post in alerts:
            found = self._latest.get(alert.fingerprint)
            if found is None or found.episode.resolved_at is not None:
                wanted.update(dict.fromkeys(self._keys(alert, post)))
            elif alert.status is AlertStatus.RESOLVED and found.incident_id:
                ending[found.incident_id] = None
        self._meet(wanted)
        self._open.update(admissions.open_episodes(self._connection, ending))

    def _keys(self, alert: Alert, post: Post) -> tuple[str, ...]:
        found = self._found_by.get(id(alert))
        if found is None:
            policy, group = self._rules.policy, post.delivery.group_key
            found = keys(alert, group, policy.component_label, policy.components)
            self._found_by[id(alert)] = found
        return found

    def _meet(self, wanted: Iterable[str]) -> None:
        """Load the incidents that keys lead to, where that is not known yet."""
        missing = self._acquainted.missing(wanted)
        if not missing:
            return
        since = min(post.at for post in self._posts) - self._rules.policy.horizon_seconds
        self._acquainted.meet(admissions.acquaintance(self._connection, missing, since))

    def _take(self, taking: _Taking) -> bool:
        post = taking.post
        if not post.is_stored:
            self._added.keep(post.raw, post.delivery)
        elif post.raw.problem is None:
            self._added.requeue(post.raw, post.delivery, post.at)
        news = []
        # What ended comes first: a group may tell of one condition's end and another's beginning.
        for status in (AlertStatus.RESOLVED, AlertStatus.FIRING):
            alerts = {
                each.fingerprint: each for each in post.delivery.alerts if each.status is status
            }
            news += [self._take_alert(taking, alert) for alert in alerts.values()]
            for incident_id in taking.touched:
                self._may_be_over(incident_id, post.at)
            taking.touched.clear()
        return any(news)

    def _may_be_over(self, incident_id: str, at: float) -> None:
        self._acquainted.forget()
        left = self._open.get(incident_id)
        if left is None:
            self._due[incident_id] = at
        elif left == 0:
            self._due.setdefault(incident_id, at)

    def _take_alert(self, taking: _Taking, alert: Alert) -> bool:
        latest = self._latest.get(alert.fingerprint)
        if latest is None and alert.ends_at is None:  # most of what is news at all
            self._begin(taking, alert, None)
            return True
        meaning, found = self._meaning(taking.post, alert)
        if meaning is Motion.BEGINS or meaning is Motion.BEGINS_ENDED:
            self._begin(taking, alert, latest.incident_id if latest else None)
            return True
        if found is None or meaning is Motion.REPEATS:
            if found is not None and alert.ends_at is None and not taking.post.is_late:
                self._tell(taking.post, found.episode.id, REPEATED, alert)
            return False
        if meaning is Motion.CONTINUES:
            return self._go_on(taking.post, alert, found)
        self._end(taking, alert, found)
        return True

    def _meaning(self, post: Post, alert: Alert) -> tuple[Motion, Stored | None]:
        found = self._latest.get(alert.fingerprint)
        if post.is_late and alert.ends_at is not None:
            return self._meaning_late(alert, alert.ends_at)
        latest = found.episode if found else None
        seen_at = found.resolved_seen_at if found else None
        meaning = motion(alert, post.raw.received_at, latest, seen_at, self._rules.policy)
        # That it still fires is what the webhook says; to hear it otherwise adds nothing.
        if post.is_late and meaning is Motion.CONTINUES:
            meaning = Motion.REPEATS
        return meaning, found

    def _meaning_late(self, alert: Alert, ends_at: float) -> tuple[Motion, Stored | None]:
        """Decide about what is over: it may lie before the latest episode of its fingerprint."""
        self._catch_up()
        found = episodes.overlapping(self._connection, alert, ends_at)
        if found is None:
            return Motion.BEGINS_ENDED, None
        is_open = found.episode.resolved_at is None
        return (Motion.ENDS if is_open else Motion.REPEATS), found

    def _end(self, taking: _Taking, alert: Alert, found: Stored) -> None:
        post = taking.post
        ended_at = post.at if alert.ends_at is None else alert.ends_at
        self._added.end(found.episode.id, ended_at, post.at)
        self._tell(post, found.episode.id, "resolved late" if post.is_late else "resolved", alert)
        self._latest[alert.fingerprint] = replace(
            found,
            episode=found.episode.model_copy(update={"resolved_at": ended_at}),
            resolved_seen_at=post.at,
        )
        if found.incident_id:
            self._count(found.incident_id, -1)
            taking.touched[found.incident_id] = None

    def _go_on(self, post: Post, alert: Alert, found: Stored) -> bool:
        """Take a firing alert into its open episode; only an earlier start is news."""
        before = found.episode.alert
        is_earlier = alert.starts_at < before.starts_at
        merged = alert
        if not is_earlier and alert.starts_at != before.starts_at:
            merged = alert.model_copy(update={"starts_at": before.starts_at})
        is_changed = merged != before
        episode = (
            found.episode.model_copy(update={"alert": merged}) if is_changed else found.episode
        )
        self._added.see(episode, post.at, is_changed=is_changed)
        if alert.fingerprint in self._told_again:
            self._latest[alert.fingerprint] = replace(found, episode=episode)
        if is_earlier:
            self._tell(post, episode.id, "started earlier", alert)
        return is_earlier

    def _begin(self, taking: _Taking, alert: Alert, was_in: str | None) -> None:
        post = taking.post
        is_ended = alert.ends_at is not None
        seen_late = is_ended or post.is_late
        episode_id = f"{self._lot}{next(self._drawn):08x}"
        incident_id = None if alert.name == WATCHDOG else self._incident_for(post, alert, was_in)
        seen_at = post.raw.received_at
        self._added.begin(episode_id, incident_id, alert, seen_at, seen_late=seen_late)
        self._tell(post, episode_id, "seen late" if seen_late else "firing", alert)
        if alert.fingerprint in self._told_again:
            episode = Episode(
                id=episode_id,
                alert=alert,
                first_seen_at=seen_at,
                resolved_at=alert.ends_at,
                seen_late=seen_late,
            )
            self._remember(episode, incident_id)
        if incident_id and is_ended:
            taking.touched[incident_id] = None
        elif incident_id:
            self._count(incident_id, 1)

    def _remember(self, episode: Episode, incident_id: str | None) -> None:
        """Let the episode be the latest of its fingerprint, where it is."""
        before = self._latest.get(episode.alert.fingerprint)
        if before is not None and episode.resolved_at is not None:
            last = before.episode.resolved_at
            if last is None or last > episode.resolved_at:
                return
        seen_at = None if episode.resolved_at is None else episode.first_seen_at
        self._latest[episode.alert.fingerprint] = Stored(
            episode=episode, incident_id=incident_id, resolved_seen_at=seen_at
        )

    def _count(self, incident_id: str, more: int) -> None:
        if incident_id in self._open:
            self._open[incident_id] += more

    def _incident_for(self, post: Post, alert: Alert, was_in: str | None) -> str:
        found_by = self._keys(alert, post)
        known = self._candidates(found_by, post.at)
        placement = place(alert, post.at, known, self._rules.policy, was_in=was_in)
        if placement.joins is None:
            incident_id = self._open_new(post, alert, placement)
        else:
            incident_id = self._join(post, alert, self._acquainted[placement.joins], placement)
        for key in self._acquainted.lead(found_by, incident_id):
            self._added.keys.append((key, incident_id))
        return incident_id

    def _candidates(self, found_by: tuple[str, ...], at: float) -> Sequence[Known]:
        again = self._acquainted.again(found_by, at)
        if again is not None:
            return again
        self._meet(found_by)
        if self._due and not self._due.keys().isdisjoint(self._acquainted.ids(found_by)):
            self._catch_up()
        return self._acquainted.candidates(found_by, at)

    def _join(self, post: Post, alert: Alert, known: Known, placement: Placement) -> str:
        now = known
        if placement.flaps or not is_as_before(known, alert, post.at):
            now = as_joined(known, alert, post.at, placement)
            self._acquainted.change(now)
            self._added.join(now)
        self._joiners.add(post.raw.id, post.at, alert, known, placement)
        if placement.is_told or placement.flaps:
            self._announce(post, known.id, placement)
        # The same turn as another alert of the post has just given it need not be given again.
        if known.state is IncidentState.WAITING and now is not known:
            policy, ranks = self._rules.policy, [now.severity_rank]
            moved = turn(ranks, opened_at=known.opened_at, at=post.at, policy=policy)
            self._added.put_off(known.id, moved, post.at)
        return known.id

    def _announce(self, post: Post, incident_id: str, placement: Placement) -> None:
        self.has_written = True
        channels, policy = self._rules.channels, self._rules.policy
        announce_joining(self._connection, incident_id, placement, channels, post.at, policy=policy)

    def _open_new(self, post: Post, alert: Alert, placement: Placement) -> str:
        new = as_opened(os.urandom(8).hex(), alert, post.at, placement)
        opening = Opening(
            id=new.id,
            at=post.at,
            state=new.state,
            reason=placement.reason,
            severity_rank=new.severity_rank,
            occurrence_of=placement.occurrence_of,
            recurs=placement.recurs,
        )
        policy, when = self._rules.policy, None
        if placement.occurrence_of is None:
            when = turn([new.severity_rank], opened_at=post.at, at=post.at, policy=policy)
        self._added.open(opening, when)
        self._acquainted.change(new)
        self._open[new.id] = 0
        return new.id

    def _tell(self, post: Post, episode_id: str, fact: str, alert: Alert) -> None:
        times = (post.at, fact, alert.starts_at, alert.ends_at)
        self._added.facts.append((episode_id, post.raw.id, *times))

    def _catch_up(self) -> None:
        """Write what is decided and settle what may be over, so that the store is up to date."""
        added, self._added = self._added, admissions.Additions()
        due, self._due = self._due, {}
        self.has_written = True  # even where it fails: a part may be there
        added.log.extend(self._joiners.lines(due.keys()))
        added.write(self._connection)
        if not due:
            return
        for incident_id, at in due.items():
            settle(self._connection, incident_id, self._rules.channels, at, self._rules.policy)
        self._acquainted.update(admissions.known_again(self._connection, due))
