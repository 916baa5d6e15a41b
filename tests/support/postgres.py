"""A throwaway Postgres cluster for a test: in a temporary directory, on a Unix socket only, run
by a user who is not root; gone with the process that asked for it, however that ends.

As a program it serves one to tests in other languages: `postgres.py serve [SETTING=VALUE]...`
prints the URL of its database `test`, and ends with the cluster when its standard input ends.
Lines of standard input are orders: `stop MODE` (fast, immediate), `start`; each is answered by
a line."""

import ctypes
import ctypes.util
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

SETTINGS = {
    "listen_addresses": "", "wal_level": "logical", "max_wal_senders": 20,
    "max_replication_slots": 20, "max_connections": 60, "max_prepared_transactions": 10,
    "shared_buffers": "64MB", "fsync": "off", "log_min_messages": "warning",
    "wal_sender_timeout": "60s", "min_wal_size": "32MB", "max_wal_size": "512MB",
    "timezone": "America/St_Johns", "datestyle": "German", "extra_float_digits": -3,
}

# Waits for the end of the process that asked for a cluster, of which its standard input tells.
# A server that is told to quit takes its postmaster.pid along; one that was killed can't.
GUARD = """
cat >/dev/null
for try in $(seq 200); do
    kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" || break
    sleep 0.05
done 2>/dev/null
rm -rf "$1"
"""


class Failure(Exception):
    """The server says no."""


def programs():
    """The folder of the newest server's programs."""
    found = shutil.which("initdb")
    if found is not None:
        return pathlib.Path(found).resolve().parent
    versions = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not versions:
        raise Failure("no Postgres server here: install postgresql (deploy/install-deps does)")
    return pathlib.Path(max(versions, key=lambda path: float(path.split("/")[4]))).parent


def runner():
    """The user who runs servers: this one, unless it is root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Failure("root has no user to run Postgres as")


class Cluster:
    """A context: a running server. url is that of its database `test`, for its superuser."""

    def __init__(self, in_memory=True, **settings):
        self.programs, self.user = programs(), runner()
        place = "/dev/shm" if in_memory and os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rowferry-pg-", dir=place))
        self.data = self.folder / "data"
        self.guard = subprocess.Popen(["sh", "-c", GUARD, "guard", self.folder],
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, cwd="/",
                                      start_new_session=True)
        self.url = self.url_of("test")
        try:
            if self.user is not None:
                os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            os.chmod(self.folder, 0o755)  # its socket is for the tests' user, too
            self.call("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                      "--locale=C", "--no-sync", "--pgdata", self.data)
            lines = [f"{name} = '{value}'\n" for name, value in {**SETTINGS, **settings}.items()]
            with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
                file.writelines([f"unix_socket_directories = '{self.folder}'\n", *lines])
            self.start()
            with Connection(self.url_of("postgres")) as connection:
                connection.run("CREATE DATABASE test")
        except BaseException:
            self.close()
            raise

    def url_of(self, database, user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def call(self, program, *words):
        ended = subprocess.run([self.programs / program, *words], stdin=subprocess.DEVNULL,
                               capture_output=True, cwd="/", env={**os.environ, "LC_ALL": "C"},
                               **self.identity())
        if ended.returncode != 0:
            raise Failure(f"{program}: {ended.stdout.decode()}{ended.stderr.decode()}")

    def identity(self):
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def start(self):
        self.call("pg_ctl", "start", "--wait", "--silent", "--pgdata", self.data,
                  "--log", self.folder / "log")

    def stop(self, mode="fast"):
        """fast, or immediate: as after a crash."""
        self.call("pg_ctl", "stop", "--wait", "--silent", "--mode", mode, "--pgdata", self.data)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def close(self):
        self.guard.stdin.close()
        self.guard.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self, database="test", user="postgres"):
        return Connection(self.url_of(database, user))


def library():
    loaded = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    for name, result, arguments in (
            ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
            ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
            ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
            ("PQfinish", None, [ctypes.c_void_p]),
            ("PQbackendPID", ctypes.c_int, [ctypes.c_void_p]),
            ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("PQsendQuery", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]),
            ("PQgetResult", ctypes.c_void_p, [ctypes.c_void_p]),
            ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
            ("PQresultErrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
            ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
            ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
            ("PQgetisnull", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
            ("PQgetlength", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
            ("PQgetvalue", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
            ("PQclear", None, [ctypes.c_void_p]),
            ("PQsetNoticeProcessor", ctypes.c_void_p,
             [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p])):
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


PQ = library()
QUIET = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(lambda data, message: None)
COMMAND_OK, TUPLES_OK = 1, 2  # of PGresult


class Connection:
    """A session: statements in, rows of texts (None for NULL) out. A context."""

    def __init__(self, url):
        self.handle = PQ.PQconnectdb(url.encode())
        if PQ.PQstatus(self.handle) != 0:
            said = PQ.PQerrorMessage(self.handle).decode()
            self.close()
            raise Failure(said)
        PQ.PQsetNoticeProcessor(self.handle, QUIET, None)

    def close(self):
        if self.handle is not None:
            PQ.PQfinish(self.handle)
        self.handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pid(self):
        return PQ.PQbackendPID(self.handle)

    def run(self, sql):
        """Run statements; the rows of the last."""
        return self.take(PQ.PQexec(self.handle, sql.encode()))

    def send(self, sql):
        """Begin statements; end() waits for them and has their rows."""
        if PQ.PQsendQuery(self.handle, sql.encode()) != 1:
            raise Failure(PQ.PQerrorMessage(self.handle).decode())

    def end(self):
        rows, failure = [], None
        while True:
            result = PQ.PQgetResult(self.handle)
            if result is None:
                break
            try:
                rows = self.take(result)
            except Failure as found:
                failure = found
        if failure is not None:
            raise failure
        return rows

    @staticmethod
    def take(result):
        try:
            if PQ.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
                raise Failure(PQ.PQresultErrorMessage(result).decode())
            return [tuple(None if PQ.PQgetisnull(result, row, column) else
                          ctypes.string_at(PQ.PQgetvalue(result, row, column),
                                           PQ.PQgetlength(result, row, column)).decode()
                          for column in range(PQ.PQnfields(result)))
                    for row in range(PQ.PQntuples(result))]
        finally:
            PQ.PQclear(result)

    def value(self, sql):
        return self.run(sql)[0][0]


def serve(settings):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the test, whose end we see
    with Cluster(**settings) as cluster:
        print(cluster.url, flush=True)
        for line in sys.stdin:
            words = line.split()
            if words[0] == "stop":
                cluster.stop(words[1])
            elif words[0] == "start":
                cluster.start()
            print("done", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] != ["serve"]:
        sys.exit(__doc__)
    serve(dict(word.split("=", 1) for word in sys.argv[2:]))
