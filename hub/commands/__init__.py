"""The parts of `telecentre-hub` that keep the register of passes, and what all of its commands share."""
