"""How seldom Python looks for rings of objects in a hub, whose answers are tens of thousands of rows."""

import gc

YOUNG = 50_000
"""Objects made and not let go before Python looks through them; 700 if nobody says otherwise. An answer about 4,072
telecentres has 30,000 and not one ring: to look for them took a sixth of its time. What waits is some 10 MB at most."""


def look_seldom() -> None:
    """Keep what is there now out of the collector's way for good, and have it look at the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
