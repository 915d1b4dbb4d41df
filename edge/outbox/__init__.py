"""Every event is kept here, in order, until the hub has it: SQLite, one thread its only writer.

`outbox` is the thread and the face of it, `writer` the rules, `ledger` what other threads may ask, `file`, `read` and
`schema` the file itself.
"""

from edge.outbox.outbox import Outbox
from edge.outbox.read import OutboxReport, StreamReport, read_status
from edge.outbox.schema import StorageError, prepare_folder

__all__ = ["Outbox", "OutboxReport", "StorageError", "StreamReport", "prepare_folder", "read_status"]
