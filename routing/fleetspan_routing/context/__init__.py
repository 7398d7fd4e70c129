"""A context that is kept short without being dearer: reduce on arrival, evict when it pays.

::

    from fleetspan_routing.context import MemoryStore, Prices, Session, from_openai

    session = Session(prices=Prices(input_usd=3.0, output_usd=15.0), store=MemoryStore())
    texts = session.prompt(from_openai(messages))   # before every model call
    session.recall("3f9a12cd")                      # what the model asks back, exactly
    print(session.report())                         # tokens and cost together
"""

from fleetspan_routing.context.errors import ContextError
from fleetspan_routing.context.ledger import Report
from fleetspan_routing.context.messages import (
    Message,
    from_anthropic,
    from_openai,
    to_provider,
)
from fleetspan_routing.context.names import wanted_in
from fleetspan_routing.context.reduce import Reduced, reduce
from fleetspan_routing.context.session import Session
from fleetspan_routing.context.settings import (
    Forecast,
    Prices,
    Settings,
    as_long_again,
    from_past_runs,
)
from fleetspan_routing.context.store import DiskStore, MemoryStore, Store, part

__all__ = [
    "ContextError",
    "DiskStore",
    "Forecast",
    "MemoryStore",
    "Message",
    "Prices",
    "Reduced",
    "Report",
    "Session",
    "Settings",
    "Store",
    "as_long_again",
    "from_anthropic",
    "from_openai",
    "from_past_runs",
    "part",
    "reduce",
    "to_provider",
    "wanted_in",
]
