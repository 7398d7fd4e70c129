"""``fleetspan demo``: a believable fleet, through the real SDK and real OTLP.

::

    fleet ─ starts ─► agent programs (program.py, one process each) ──OTLP──► collector
      │                        │                                                 │
      └◄── truth: what each did ┘          checks: truth == store ◄──────────────┘

What the agent programs import (``program``, ``_worker``, ``_delegation``, ``_scenarios``, ``_oddities``,
``_plan``, ``_truth``, ``_timeline``, ``_models``) needs the SDK alone; the engine is only
ever in the collector's process.
"""
