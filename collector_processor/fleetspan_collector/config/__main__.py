"""Write ``SETTINGS.md`` on standard output."""

import sys

from fleetspan_collector.config._page import settings_page

sys.stdout.write(settings_page())
