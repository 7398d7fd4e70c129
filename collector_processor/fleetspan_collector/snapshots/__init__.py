"""Snapshots: what is done, running and pending of a run at a moment.

::

    moment.py ──── what a moment is, and why a snapshot is taken of it
    triggers.py ── the moments of a run, from its rows
    requests.py ── what else asks for one: applications, and Claude Code before it compacts
    standing.py ── counters, and who is at work on what, at a moment
    raw.py ─────── what raw rows know: todos.py, transcripts.py, messages, files
    capture.py ─── puts these together and writes a row (rows.py), once for each moment
    taking.py ──── the same for one run, by hand
    reading.py ─── rows and states, read again; hashes are checked
    handoff.py ─── a snapshot as a hand-off for whoever goes on
    archive.py ─── a snapshot as a file
"""
