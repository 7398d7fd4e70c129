"""All dashboards, each in a module of its own."""

from typing import Final

from fleetspan_dashboards.boards.agents import AGENTS_BOARD
from fleetspan_dashboards.boards.claude_code import CLAUDE_CODE
from fleetspan_dashboards.boards.collector import COLLECTOR
from fleetspan_dashboards.boards.fleet import FLEET
from fleetspan_dashboards.boards.model_cost import MODEL_COST
from fleetspan_dashboards.boards.routing import ROUTING
from fleetspan_dashboards.boards.run import RUN
from fleetspan_dashboards.boards.sessions import SESSIONS
from fleetspan_dashboards.boards.tools import TOOLS
from fleetspan_dashboards.panel import Board

BOARDS: Final[tuple[Board, ...]] = (
    FLEET,
    AGENTS_BOARD,
    MODEL_COST,
    TOOLS,
    RUN,
    SESSIONS,
    CLAUDE_CODE,
    ROUTING,
    COLLECTOR,
)
