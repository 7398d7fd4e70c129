"""What to do about it: findings listed, a run explained, a phase reviewed.

::

    store ──► findings ──► explain      five lines about one run
       └────► phase ─────► review ────► markdown, html, JSON
                             └── narrate (a paragraph by a model, when asked for)

Everything is read through `asking.Asks`: a running collector or the store itself. All
figures are worked out here, without a model; None is unknown, which is not zero.
"""
