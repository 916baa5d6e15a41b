"""Segments and state files that are not what their writer wrote: one line each, the right exit
code, and everything as it was; then the good file does its work."""

import concurrent.futures
import hashlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (Node, copy_folder, expect, expect_equal, listing, main,  # noqa: E402
                      make_pair, settle, temporary_folder)

HEADER_SIZE, CHECKED_SIZE, CHECK_SIZE = 66, 50, 16

ready = temporary_folder()
kept = pathlib.Path(ready.name) / "kept"


def fleet(folder):
    """Two nodes that are even, but for three entries of b: in the file `segment` the first
    two, in `next` the third; and `foreign`, a segment of another fleet. Nothing of it is in
    the folder yet."""
    if not kept.exists():
        a, b = make_pair(kept)
        b.write("INSERT INTO item VALUES (10, 'ten', 10)")
        b.run("capture")
        b.write("UPDATE item SET n = 100 WHERE id = 10")
        b.run("capture")
        b.run("export", kept / "segment", "--since", "a")
        middle = b.last_seq()
        b.write("INSERT INTO part VALUES ('r', 10, x'0102')")
        b.run("capture")
        b.run("export", kept / "next", "--since", middle)
        other, _ = make_pair(kept / "other")
        other.run("export", kept / "foreign")
    copy_folder(kept, folder / "fleet")
    return [Node(folder / "fleet", name) for name in "ab"]


def with_check(header):
    """A header's first bytes with the checksum that belongs to them."""
    return header + hashlib.blake2b(header, digest_size=CHECK_SIZE).digest()


def flipped(data, offset):
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1:]


def bad_segments(good, following, foreign):
    """(what was done to it, its bytes, what is said of it)"""
    header, body = good[:HEADER_SIZE], good[HEADER_SIZE:]
    yield "empty", b"", ""
    for size in (3, 20, HEADER_SIZE - 1, HEADER_SIZE):
        yield f"cut to {size} bytes", good[:size], "copy it again"
    for size in (HEADER_SIZE + 2, HEADER_SIZE + 10, len(good) // 2, len(good) - 1):
        yield f"cut to {size} bytes", good[:size], "is cut"
    for offset in (0, 5, 7, 23, 30, 55):
        yield f"a bit of byte {offset} flipped", flipped(good, offset), ""
    for offset in (HEADER_SIZE + 5, len(good) // 2, len(good) - 1):
        yield f"a bit of byte {offset} flipped", flipped(good, offset), "copy it again"
    yield "a bit of a frame's size flipped", flipped(good, HEADER_SIZE + 3), ""
    yield "bytes added", good + b"more", "was altered"
    yield "twice in one file", good + good, "was altered"
    yield "spliced: another one's body", header + following[HEADER_SIZE:], "was altered"
    yield "spliced: another one's nonce", with_check(header[:26] + following[26:50]) + body, \
        "was altered"
    half = len(good) // 2
    yield "spliced in the middle", good[:half] + following[-half:], "copy it again"
    yield "of another fleet", foreign, "another fleet"
    yield "of a later format", with_check(header[:4] + b"\0\2" + header[6:50]) + body, \
        "update rowferry here"
    yield "of another key", with_check(header[:22] + b"\0\0\0\2" + header[26:50]) + body, \
        "token"
    yield "a database", b"SQLite format 3\0" + bytes(200), "is not a segment"


def a_bad_segment_is_refused_and_changes_nothing(folder):
    a, b = fleet(folder)
    place = a.folder
    bad = place / "bad"
    before = a.picture()
    for when, content, saying in bad_segments((place / "segment").read_bytes(),
                                              (place / "next").read_bytes(),
                                              (place / "foreign").read_bytes()):
        bad.write_bytes(content)
        refused = a.refuse(1, saying, "import", bad)
        expect(str(bad) in refused.errors, f"{when}: the file is not named: {refused}")
        expect_equal(a.picture(), before, f"after a segment {when}")
    a.refuse(1, "missing", "import", place / "next")
    a.refuse(3, "No such file", "import", place / "nowhere")
    a.refuse(2, "directory", "import", place / "shared")
    expect_equal(a.picture(), before, "after segments that are none")
    a.run("import", place / "segment", place / "next")
    a.run("import", place / "segment", place / "next")
    a.run("apply")
    a.check()
    expect_equal(a.rows("SELECT * FROM part"), b.rows("SELECT * FROM part"), "rows")


def a_bad_file_in_the_folder_is_named_and_the_rest_goes_on(folder):
    a, b = fleet(folder)
    shared = a.folder / "shared"
    old = {path.name for path in shared.iterdir()}
    b.sync(shared)
    (segment,) = [path for path in shared.glob("*.rfseg") if path.name not in old]
    good = segment.read_bytes()
    (state,) = shared.glob(f"{b.inspect()['node']}.rfstate")
    whole = state.read_bytes()
    foreign = (a.folder / "foreign").read_bytes()
    before = a.picture()
    later = with_check(good[:4] + b"\0\2" + good[6:50]) + good[HEADER_SIZE:]
    cases = [
        ("half of it", segment, good[:-7], 0, "not whole yet"),
        ("none of it", segment, b"", 0, "not whole yet"),
        ("not there", segment, None, 0, "not whole yet"),
        ("a bit flipped", segment, flipped(good, len(good) - 5), 1, "was altered"),
        ("the size of a frame altered", segment, flipped(good, HEADER_SIZE + 1), 1,
         "is cut or altered"),
        ("as long, and zeros from some byte on", segment,
         good[:HEADER_SIZE + 50] + bytes(len(good) - HEADER_SIZE - 50), 0, "zeros stand in frame"),
        ("as long, of zeros", segment, bytes(len(good)), 0, "is not whole"),
        ("of another fleet", segment, (foreign * 9)[:len(good)], 1, "another fleet"),
        ("of a later format", segment, later, 1, "update rowferry here"),
        ("half of the list", state, whole[:-7], 0, ""),
        ("a bit of the list flipped", state, flipped(whole, len(whole) - 3), 1, "was altered"),
        ("the list is another's", state, foreign, 1, ""),
    ]
    for when, path, content, code, saying in cases:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        had = listing(shared)
        if path == state:  # whose segments are found all the same: keep them away
            segment.rename(a.folder / "away")
            had = listing(shared)
        said = a.refuse(code, saying, "sync", shared)
        expect(path.name in said.errors or path.stem in said.errors,
               f"{when}: the file is not named: {said}")
        expect_equal(a.picture(), before, f"after a file in the folder: {when}")
        expect_equal(listing(shared), had, f"the folder after a file in it: {when}")
        if path == state:
            (a.folder / "away").rename(segment)
        segment.write_bytes(good)
        state.write_bytes(whole)
    a.sync(shared)
    a.check()
    expect_equal(a.rows("SELECT * FROM item"), b.rows("SELECT * FROM item"), "rows")


def two_segments_that_were_swapped_do_no_harm(folder):
    a, b = fleet(folder)
    shared = a.folder / "shared"
    old = {path.name for path in shared.iterdir()}
    b.sync(shared)
    b.write("DELETE FROM part WHERE id = 'p'")
    b.sync(shared)
    one, two = sorted(path for path in shared.glob("*.rfseg") if path.name not in old)
    one.rename(shared / "x")
    two.rename(one)
    (shared / "x").rename(two)
    said = a.run("sync", shared, code=None)
    expect(said.code in (0, 1) and "Traceback" not in said.errors, str(said))
    one.rename(shared / "x")
    two.rename(one)
    (shared / "x").rename(two)
    a.sync(shared)
    a.check()
    expect_equal(a.rows("SELECT * FROM part"), b.rows("SELECT * FROM part"), "rows")


def a_segment_that_is_seen_before_its_list_enters(folder):
    """A synced folder shows files in any order."""
    a, b = fleet(folder)
    shared = a.folder / "shared"
    (state,) = shared.glob(f"{b.inspect()['node']}.rfstate")
    old = state.read_bytes()
    b.sync(shared)
    new = state.read_bytes()
    state.write_bytes(old)
    a.sync(shared)
    expect_equal(a.rows("SELECT n FROM item WHERE id = 10"), [(100,)], "the row")
    had = a.picture()
    state.write_bytes(new)
    a.sync(shared)
    a.sync(shared)
    expect_equal(a.picture()[0]["last_seq"], had[0]["last_seq"], "the log's end")
    a.check()


def a_folder_with_other_peoples_files_is_read_past_them(folder):
    a, b = fleet(folder)
    shared = a.folder / "shared"
    b.sync(shared)
    (shared / "notes.txt").write_text("not ours")
    (shared / "0123.rfseg").write_bytes(b"neither")
    (shared / ".DS_Store").write_bytes(bytes(10))
    (shared / "folder.rfseg").mkdir()
    said = a.sync(shared)
    expect_equal(said.errors, "", "what is said of them")
    a.check()
    expect((shared / "notes.txt").exists() and (shared / "0123.rfseg").exists(), "they stay")


def two_nodes_may_visit_one_stick_at_once(folder):
    a, b = fleet(folder)
    shared = a.folder / "shared"
    a.write("INSERT INTO item VALUES (20, 'twenty', 20)")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for visit in [pool.submit(node.sync, shared) for node in (a, b)]:
            visit.result()
    settle([a, b], shared)
    for node in (a, b):
        node.check()
    expect_equal(a.rows("SELECT * FROM item"), b.rows("SELECT * FROM item"), "rows")


try:
    main([a_bad_segment_is_refused_and_changes_nothing,
          a_bad_file_in_the_folder_is_named_and_the_rest_goes_on,
          two_segments_that_were_swapped_do_no_harm,
          a_segment_that_is_seen_before_its_list_enters,
          a_folder_with_other_peoples_files_is_read_past_them,
          two_nodes_may_visit_one_stick_at_once])
finally:
    ready.cleanup()
