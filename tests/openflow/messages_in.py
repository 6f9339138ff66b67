"""Every message of every version, as strategies."""

from functools import cache

from tests.openflow.bodies_in import Strategies, changes, extensions, handshakes
from tests.openflow.stats_in import group_statistics, statistics, statistics13, statistics14


@cache
def bodies(version: int) -> Strategies:
    """Every message of a version, by name; what the version lacks is not there."""
    return {
        **handshakes(version),
        **changes(version),
        **extensions(version),
        **statistics(version),
        **group_statistics(version),
        **statistics13(version),
        **statistics14(version),
    }
