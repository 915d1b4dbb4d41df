"""Pure: no I/O, no clock, no thread, no device. Time enters as `Moment`, randomness as an argument."""
