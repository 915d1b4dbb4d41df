"""How long the long form of a test is to take: `make campaign MINUTES=30` sets it, `make test` runs the short forms."""

import os

CAMPAIGN_MINUTES = float(os.environ.get("TELECENTRE_CAMPAIGN", "0"))
"""0: the short form."""
