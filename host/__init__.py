"""What a program of ours asks of the machine it runs on: its settings file, its credentials, systemd, the journal.

Admission rule: a thing is here only if it is about the machine, not about telecentres, and both edge and hub need it.
"""
