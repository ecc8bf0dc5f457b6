"""How far a long job is and how long it will still take, as lines of the standard log."""

import logging
import time
from collections.abc import Callable

from tqdm import tqdm

_log = logging.getLogger(__name__)


class Progress:
    """Logs now and then how much of some work is done, with an estimate of the time left.

    The first line comes after 5 seconds, then one every 10, and one a minute once the first minute is over; work of
    less than 5 seconds is passed over in silence. Where a part was `done` by an earlier process, the estimate
    goes by the speed of this one. `at_most`: the work may end before `total`.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        done: int = 0,
        at_most: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.unit, self.at_most, self.clock = total, unit, "at most " if at_most else "", clock
        self.done = self.before = done
        self.start = clock()
        self.next_line = self.start + 5

    def advance(self, more: int = 1, note: str = "") -> None:
        """Count `more` units as done; `note` (loss .41) joins the line if one is due."""
        self.done += more
        now = self.clock()
        if now < self.next_line or self.done >= self.total:
            return
        passed = now - self.start
        left = passed * (self.total - self.done) / (self.done - self.before)
        parts = [
            f"{self.done:,} of {self.at_most}{self.total:,} {self.unit} ({100 * self.done // self.total} %)",
            *([note] if note else []),
            f"{tqdm.format_interval(passed)} so far",
            f"{self.at_most}{tqdm.format_interval(left)} left",
        ]
        _log.info(", ".join(parts))
        self.next_line = now + (10 if passed < 60 else 60)

    def finish(self) -> None:
        """Say how long the work took."""
        passed = self.clock() - self.start
        if passed >= 5:
            _log.info(f"{self.done - self.before:,} {self.unit} done in {tqdm.format_interval(passed)}")
