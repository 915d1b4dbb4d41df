"""Devices on the wire, with encoders of their own: this package imports nothing of ours."""
