"""How long the long form of a test is to take: `make campaign MINUTES=30` sets it, `make test` runs the short forms."""

import os
from random import Random

CAMPAIGN_MINUTES = float(os.environ.get("TELECENTRE_CAMPAIGN", "0"))
"""0: the short form."""

HISTORIES = 2_000 if CAMPAIGN_MINUTES else 0
"""How many random histories each engine is told in the long form, however long that takes; 0: the short form."""

SEED = int(os.environ.get("TELECENTRE_SEED") or Random().getrandbits(32))
"""What is drawn at random is drawn from it; `TELECENTRE_SEED` repeats a run."""
