"""A node on a Postgres database of its own, for tests in Python; and pictures of tables that
can be compared with those of a node on SQLite."""

from postgres import Connection
from rowferry import Failure, Node


class PostgresNode(Node):
    """A database of the cluster and a store in a folder."""

    def __init__(self, folder, name, cluster, make=True):
        super().__init__(folder, name)
        self.cluster = cluster
        self.url = cluster.url_of(name)
        if make:
            with cluster.connect("postgres") as connection:
                connection.run(f'CREATE DATABASE "{name}"')

    def init(self, *words, **options):
        return self.run("init", self.url, "--name", self.name, *words, **options)

    def connect(self):
        return Connection(self.url)

    def script(self, sql):
        with self.connect() as connection:
            connection.run(sql)

    def write(self, sql, mode=None):
        """What an application does, in one transaction on a connection of its own."""
        with self.connect() as connection:
            connection.run("BEGIN")
            for statement in [sql] if isinstance(sql, str) else sql:
                connection.run(statement)
            connection.run("COMMIT")

    def rows(self, sql):
        """A query's rows, as Postgres prints them under rowferry's settings."""
        with self.connect() as connection:
            connection.run("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';"
                           "SET IntervalStyle = 'postgres'; SET extra_float_digits = 3;"
                           "SET bytea_output = 'hex'; SET lc_monetary = 'C'")
            return connection.run(sql)

    def picture(self):
        raise Failure("a Postgres database has no picture")


def as_postgres_prints(value, kind):
    """What a value of SQLite is in Postgres: kind is the column's type there."""
    if value is None:
        return None
    if kind == "boolean":
        return "t" if value else "f"
    if kind == "bytea":
        return "\\x" + value.hex()
    if kind in ("real", "double precision"):
        return repr(float(value))
    return value.decode() if isinstance(value, bytes) else str(value)


def shown(node, table, columns, kinds, key):
    """The rows of a table, in the order of its key, as Postgres prints them but for floating
    point, which is as Python does."""
    if isinstance(node, PostgresNode):
        names = ", ".join(f'"{column}"' for column in columns)
        name = ".".join(f'"{part}"' for part in table.split("."))
        rows = node.rows(f'SELECT {names} FROM {name}')
        rows = [tuple(repr(float(value)) if value is not None and
                      kinds[i] in ("real", "double precision") else value
                      for i, value in enumerate(row)) for row in rows]
    else:
        names = ", ".join(f'"{column}"' for column in columns)
        rows = [tuple(as_postgres_prints(value, kinds[i]) for i, value in enumerate(row))
                for row in node.rows(f'SELECT {names} FROM "{table}"')]
    places = [columns.index(column) for column in key]
    return sorted(rows, key=lambda row: [(row[i] is None, row[i] or "") for i in places])
