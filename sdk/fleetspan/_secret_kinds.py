"""The shapes of secrets: one row per shape, for the SDK and for the collector.

A pattern is one of Python's ``re`` over bytes, and linear: no look-around, no back
references, every repetition of a class bounded or followed by what the class excludes, none
without a bound inside another. A hint is one that RE2 has, too.
"""

# ruff: noqa: S105 - shapes of secrets, not secrets

from __future__ import annotations

from typing import Final

from fleetspan._secret_kind import Kind
from fleetspan._secret_tokens import TOKENS

# --- values that only their name gives away

_EQUALS: Final = r"[\"'`]?[ \t]{0,4}(?::|=>|:=|=)\s{0,4}\[?\s{0,4}"
_PASSWORD: Final = r"pass(?:word|wd|phrase|code)|\bpwd|_pwd|\bpgpass"
_KEY: Final = (
    r"api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key"
    r"|encryption[_-]?key|signing[_-]?key|master[_-]?key|client[_-]?secret|app[_-]?secret"
    r"|shared[_-]?secret|webhook[_-]?secret|jwt[_-]?secret|session[_-]?secret|auth[_-]?key"
    r"|(?:auth|access|refresh|api|bearer|session|secret|security|bot|personal|deploy|oauth"
    r"|csrf|messaging|github|gitlab|slack|npm|id)[_-]?token"
)
# Any variable of an environment that ends so.
_VARIABLE: Final = (
    r"\b[A-Z][A-Z0-9_]{0,60}_(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)"
    r"[\"']?\s{0,2}[=:]\s{0,2}[\"']?([^\s\"'`&;,<>(){}\[\]\\|\x00]{6,500})"
)
# What may stand between a name and its value, also as JSON in JSON, or as protobuf.
_NEXT: Final = r"[\"'`\\]{0,8}[ \t]{0,4}[:=\x12]"

_PASSWORD_LITERALS: Final = ("passw", "passphrase", "passcode", "pwd", "pgpass")
_KEY_LITERALS: Final = ("key", "secret", "token")
# Quoted, or bare; only one of the groups takes part.
_VALUE: Final = (
    r"(?:\"([^\"\n\x00]{1,500})|'([^'\n\x00]{1,500})"
    r"|([^\s\"'`&;,<>(){}\[\]\\|\x00]{6,256}))"
)


def _named(name: str, names: str, literals: tuple[str, ...], gate: str) -> Kind:
    return Kind(
        name=name,
        pattern=f"(?:{names}){_EQUALS}{_VALUE}",
        literals=literals,
        hint=f"(?:{names}){_NEXT}",
        gate=f"(?:{gate}){_NEXT}",
        ignore_case=True,
        check="assigned",
        begins_with_hint=True,
    )


_ASSIGNED: Final = (
    Kind(
        name="aws-secret-access-key",
        pattern=r"(?:secret_?access_?key|aws_?secret(?:_?key)?|secret access key)"
        r"[\"'\s:=>]{1,10}([A-Za-z0-9/+]{40})\b",
        literals=("secret",),
        hint=r"secret[_ ]?access[_ ]?key|aws_?secret",
        ignore_case=True,
    ),
    Kind(
        name="url-password",
        pattern=r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:?#@\"'<>\x00]{0,100}"
        r":([^\s/?#@\"'<>\x00]{1,200})@",
        literals=("://",),
        gate=r"://[^\s/?#@]{0,300}@",
        hint=r":(?:\\{0,8}/){2}[^\s/?#@\"'<>\\\x00-\x1f]{0,150}[:@]"
        r"[^\s/?#@\"'<>\\\x00-\x1f]{1,150}@",
        check="value",
    ),
    Kind(
        name="authorization",
        pattern=r"authorization[\"']?[ \t]{0,2}[:=]\s{0,2}[\"']?"
        r"(?:(?:basic|bearer|token|digest|bot|apikey|api-key)\s{1,2})?"
        r"([^\s\"',;<>{}$\\]{8,})",
        literals=("authorization",),
        begins_with_hint=True,
        hint=f"authorization{_NEXT}",
        ignore_case=True,
        check="random",
    ),
    Kind(
        name="bearer-token",
        pattern=r"\bbearer\s{1,2}([A-Za-z0-9._~+/-]{20,}={0,2})",
        literals=("bearer",),
        begins_with_hint=True,
        hint=r"\bbearer[ \t+][A-Za-z0-9._~+/-]{12}",
        ignore_case=True,
        check="long_random",
    ),
    Kind(
        name="basic-auth",
        pattern=r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[\s=]{1,2}[\"']?"
        r"[^\s:\"']{1,100}:([^\s\"']{1,200})",
        literals=("curl",),
        hint=r"\s(?:-u|--user)[\s=]",
        check="value",
    ),
    Kind(
        name="cookie",
        pattern=r"\b(?:set-)?cookie[\"']?:\s{0,2}[\"']?([^\s\"'<>][^\"'\n<>\\]{7,})",
        literals=("cookie",),
        hint=r"cookie[\"'\\]{0,8}[:\x12]",
        ignore_case=True,
        check="pairs",
    ),
    _named("password", _PASSWORD, _PASSWORD_LITERALS, "word|wd|phrase|code|pgpass"),
    _named("api-key", _KEY, _KEY_LITERALS, "key|secret|token"),
    Kind(
        name="api-key",
        pattern=_VARIABLE,
        literals=("_TOKEN", "_SECRET", "_KEY", "_PASS", "_PWD", "_CREDENTIAL"),
        hint=r"_(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)" + _NEXT,
        check="random",
    ),
    Kind(
        name="api-key",
        pattern=f"\\b(?:token|secret|credentials?){_EQUALS}[\"']?([A-Za-z0-9._~+/=-]{{16,500}})",
        literals=("token", "secret", "credential"),
        hint=f"(?:token|secret|credentials?){_NEXT}",
        ignore_case=True,
        check="long_random",
    ),
    Kind(
        name="password",
        pattern=r"--(?:password|passwd|token|api-?key|secret|pass)[ =][\"']?"
        r"([^\s\"'`$<>(){}\\\x00-][^\s\"'`$<>(){}\\\x00]{3,255})",
        literals=("--",),
        hint=r"--(?:password|passwd|token|api-?key|secret|pass)[ =]",
        check="value",
    ),
)

KINDS: Final[tuple[Kind, ...]] = (*TOKENS, *_ASSIGNED)
"""Every shape; where two begin at one place, the first counts."""

SECRET_NAME: Final = f"(?i)(?:{_PASSWORD}|{_KEY}|authorization|cookie|(?:^|[._-])(?:token|secret|credentials?))$"
"""A name (of an attribute, of a field) whose whole value is a secret."""
