"""The SQL of the store: named statements, and numbered migrations that make the schema on either engine."""

from importlib import resources

from hub.store.connection import Connection, transaction


def statements(subject: str) -> dict[str, str]:
    """Return the statements of one subject by name: each begins with a line `-- name: its_name`."""
    text = resources.files("hub.store").joinpath("sql", f"{subject}.sql").read_text(encoding="utf-8")
    named: dict[str, str] = {}
    for part in text.split("-- name:")[1:]:
        name, _, statement = part.partition("\n")
        named[name.strip()] = statement.strip().removesuffix(";")
    return named


def migrate(connection: Connection) -> int:
    """Bring the schema to its newest version, each numbered file in its own transaction; return that version."""
    with transaction(connection):
        connection.execute(
            "create table if not exists migration (version integer primary key, name text not null)",
        )
    for version, name, script in migrations():
        with transaction(connection):
            known = connection.execute("select 1 from migration where version = :version", {"version": version})
            if known.fetchone() is None:
                for statement in script.split(";\n"):
                    connection.execute(statement)
                connection.execute("insert into migration values (:version, :name)", {"version": version, "name": name})
    return version


def migrations() -> list[tuple[int, str, str]]:
    """Return the numbered migrations in order: version, file name, script."""
    files = sorted(resources.files("hub.store").joinpath("migrations").iterdir(), key=lambda file: file.name)
    return [
        (int(file.name[:4]), file.name, file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    ]
