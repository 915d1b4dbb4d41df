"""The Raspberry Pi agent: many device threads report, one main thread decides."""
