"""How often somebody may ask, by the ``limits`` package."""

import math
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from doc_assets.errors import SettingsError


class RateLimit:
    """Counts requests by whoever makes them; for use by several threads of one process.

    Args:
        rate: requests that each may make, as the ``limits`` package writes it, e.g. ``100/second``.

    Raises:
        SettingsError: if the rate is none.
    """

    def __init__(self, rate: str) -> None:
        try:
            self._rate = limits.parse(rate)
        except ValueError as error:
            raise SettingsError(
                f"DOC_ASSETS_IMAGE_API_RATE={rate!r} is no rate; write a number and a time, e.g. 100/second or "
                "2000/minute."
            ) from error
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def pause_s(self, who: str) -> int | None:
        """Counts a request of ``who``; the seconds to wait if it is one too many, None if it may be answered."""
        if self._limiter.hit(self._rate, who):
            return None
        reset_s, _ = self._limiter.get_window_stats(self._rate, who)
        return max(1, math.ceil(reset_s - time.time()))
