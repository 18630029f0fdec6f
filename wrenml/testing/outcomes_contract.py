"""What every storage must do with outcomes, as tests to inherit."""

# ruff: noqa: S101 - these are tests
from __future__ import annotations

import pickle

import pytest

from wrenml.errors import ConfigError, WrenmlError
from wrenml.storage.base import LARGE, Commit, Storage
from wrenml.testing.tools import RACERS, floats, pattern, race

__all__ = ["OutcomesContract"]


class OutcomesContract:
    """What `commit` and `frames` promise. A subclass defines `storage`.

    Where each writer appends to a file of its own, it sets `first_wins` to False and defines `tear`.
    """

    first_wins = True
    """Whether the storage itself decides which outcome of a call was first."""

    @pytest.fixture
    def storage(self) -> Storage:
        """A fresh, empty storage."""
        raise NotImplementedError

    def tear(self, storage: Storage, key: str, size: int) -> None:
        """Cut an object down to its first bytes without calling the storage, as a killed writer leaves it."""
        raise NotImplementedError

    @staticmethod
    def _commit(storage: Storage, call: int, frame: bytes, attempt: int | None = None, writer: str = "w") -> Commit:
        return storage.commit("j0b", call, [frame], attempt=attempt, writer=writer)

    def test_commit_says_where(self, storage: Storage) -> None:
        """The range that `commit` names is the frame, whatever else was committed."""
        frames = {call: pattern(size) for call, size in enumerate([1, 300, LARGE + 1, 2 << 20, 5])}
        places = {call: self._commit(storage, call, frame) for call, frame in frames.items()}
        for call, place in places.items():
            assert place.settled is True
            assert bytes(storage.get(place.key, start=place.start, stop=place.stop)) == frames[call]
            assert place.key.startswith("jobs/j0b/out/")

    def test_frames_gives_back_all(self, storage: Storage) -> None:
        """Every frame of every writer, where `commit` said; no other job's are among them."""
        expected = {}
        for call in range(40):
            frame = b"frame of %d" % call
            place = self._commit(storage, call, frame, writer=f"w{call % 3}")
            expected[place.key, place.start] = frame
        storage.commit("j0b2", 1, [b"other"], attempt=None, writer="w")
        found = [(key, start, bytes(data)) for key, start, data in storage.frames("j0b")]
        assert found == [(*place, frame) for place, frame in sorted(expected.items())]
        assert list(storage.frames("nothing")) == []

    def test_frame_of_several_buffers(self, storage: Storage) -> None:
        """Buffers become one frame, in order."""
        wide = floats(LARGE)
        storage.commit("j0b", 0, [b"head", wide, b"", b"tail"], attempt=None, writer="w")
        ((_, _, data),) = storage.frames("j0b")
        assert bytes(data) == b"head" + pattern(LARGE) + b"tail"

    def test_first_outcome_counts(self, storage: Storage) -> None:
        """A second outcome of a call is refused, or stands behind the first."""
        first = self._commit(storage, 7, b"first")
        second = self._commit(storage, 7, b"second")
        assert (first.settled, second.settled) == (True, not self.first_wins)
        found = [bytes(data) for _, _, data in storage.frames("j0b")]
        assert found == ([b"first"] if self.first_wins else [b"first", b"second"])

    def test_racing_outcomes(self, storage: Storage) -> None:
        """Of writers that race, one settles the call; where all are kept, none is damaged."""
        places = race(lambda number: self._commit(storage, 3, b"from %d" % number, writer=f"w{number}"))
        found = {bytes(data) for _, _, data in storage.frames("j0b")}
        settled = {b"from %d" % number for number, place in enumerate(places) if place.settled}
        assert found == settled
        assert len(found) == (1 if self.first_wins else RACERS)

    def test_failed_attempts_stand_beside_the_outcome(self, storage: Storage) -> None:
        """An attempt's infrastructure failure keeps no outcome from being final."""
        assert self._commit(storage, 2, b"lost 1", attempt=1).settled is True
        assert self._commit(storage, 2, b"lost 2", attempt=2).settled is True
        assert self._commit(storage, 2, b"done").settled is True
        assert sorted(bytes(data) for _, _, data in storage.frames("j0b")) == [b"done", b"lost 1", b"lost 2"]

    def test_torn_frame_is_left_out(self, storage: Storage) -> None:
        """What a killed writer left half written hides nothing before it, and nothing written after it."""
        if self.first_wins:
            pytest.skip("objects are whole or absent in this storage")
        places = [self._commit(storage, call, pattern(100 + call)) for call in range(3)]
        for size in [places[2].stop - 1, places[2].start, places[2].start - 3]:
            self.tear(storage, places[2].key, size)
            found = [bytes(data) for _, _, data in storage.frames("j0b")]
            assert found == [pattern(100), pattern(101)]
        successor: Storage = pickle.loads(pickle.dumps(storage))
        place = self._commit(successor, 4, b"next")
        assert bytes(successor.get(place.key, start=place.start, stop=place.stop)) == b"next"
        found = [bytes(data) for _, _, data in storage.frames("j0b")]
        assert found == [pattern(100), pattern(101), b"next"]

    def test_many_jobs_at_once(self, storage: Storage) -> None:
        """Writing to many jobs in turn loses no frame."""
        for turn in range(3):
            for job in range(40):
                storage.commit(f"job{job}", turn, [b"%d/%d" % (job, turn)], attempt=None, writer="w")
        for job in range(40):
            found = [bytes(data) for _, _, data in storage.frames(f"job{job}")]
            assert found == [b"%d/%d" % (job, turn) for turn in range(3)]

    def test_deleted_outcomes_may_come_again(self, storage: Storage) -> None:
        """After a refused outcome was deleted, the call can be settled anew."""
        place = self._commit(storage, 1, b"forged")
        storage.delete([place.key])
        assert self._commit(storage, 1, b"true").settled is True
        assert [bytes(data) for _, _, data in storage.frames("j0b")] == [b"true"]

    def test_bad_commits(self, storage: Storage) -> None:
        """An empty frame, and names that are no part of a key, are refused."""
        with pytest.raises(ConfigError, match="without bytes"):
            self._commit(storage, 0, b"")
        with pytest.raises(ConfigError):
            storage.commit("../j0b", 0, [b"x"], attempt=None, writer="w")
        with pytest.raises(WrenmlError):
            list(storage.frames(".."))
        assert list(storage.frames("j0b")) == []

    def test_commit_through_a_pickled_copy(self, storage: Storage) -> None:
        """A worker's copy commits where the client reads."""
        copy: Storage = pickle.loads(pickle.dumps(storage))
        self._commit(copy, 0, b"from the copy")
        assert [bytes(data) for _, _, data in storage.frames("j0b")] == [b"from the copy"]
