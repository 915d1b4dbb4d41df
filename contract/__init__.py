"""What edge and hub promise each other.

Admission rule: a thing is here only if an edge and a hub deployed on different days must agree on it.
This package imports pydantic, cryptography and nothing of ours; it does no I/O and reads no clock or randomness.
"""
