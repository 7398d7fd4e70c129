"""Made-up secrets of every kind, put together when the tests run.

Nothing here was ever a secret. Each is drawn from its published shape with a seeded
generator, in parts, so that no scanner of this repository takes one for real.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = string.ascii_letters
_WORD: Final = string.ascii_letters + string.digits
_UPPER: Final = string.ascii_uppercase + string.digits
_HEX: Final = "0123456789abcdef"
_URL: Final = _WORD + "_-"
_BASE64: Final = _WORD + "+/"


@dataclass(frozen=True, slots=True)
class Planted:
    """A made-up secret.

    Attributes:
        kind: The kind that the marker should name.
        text: What stands in a text: the secret, with its name where only that tells.
        secret: What must not be found anywhere afterwards.
    """

    kind: str
    text: str
    secret: str


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, alphabet: str, count: int) -> str:
        """Return that many characters, at least one of them a digit where there are any."""
        made = self.random.choices(alphabet, k=count)
        if "7" in alphabet:
            made[self.random.randrange(count)] = "7"
        return "".join(made)


def _bare(kind: str, make: Callable[[_Maker], str]) -> Callable[[_Maker], Planted]:
    def planted(maker: _Maker) -> Planted:
        secret = make(maker)
        return Planted(kind, secret, secret)

    return planted


def _named(
    kind: str, form: str, make: Callable[[_Maker], str]
) -> Callable[[_Maker], Planted]:
    def planted(maker: _Maker) -> Planted:
        secret = make(maker)
        return Planted(kind, form.replace("@@", secret), secret)

    return planted


def _pem(title: str) -> Callable[[_Maker], Planted]:
    def planted(maker: _Maker) -> Planted:
        lines = [maker.some(_BASE64, 64) for _ in range(5)]
        dashes = "-" * 5
        head, foot = f"{dashes}BEGIN {title}{dashes}", f"{dashes}END {title}{dashes}"
        return Planted("private-key", "\n".join([head, *lines, foot, ""]), lines[2])

    return planted


def _service_account(maker: _Maker) -> Planted:
    key = _pem("PRIVATE " + "KEY")(maker)
    account = {
        "type": "service_account",
        "private_key_id": maker.some(_HEX, 40),
        "private_key": key.text,
    }
    return Planted("private-key", json.dumps(account), key.secret)


def _jwt(maker: _Maker) -> str:
    def part(value: object) -> str:
        text = json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    claims = {"sub": maker.some(_HEX, 12), "iat": maker.random.randrange(10**9)}
    return (
        f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{maker.some(_URL, 43)}"
    )


def _discord(maker: _Maker) -> str:
    number = str(maker.random.randrange(10**17, 10**18)).encode()
    first = base64.b64encode(number).decode().rstrip("=")
    return f"{first}.{maker.some(_URL, 6)}.{maker.some(_URL, 38)}"


KEY_SHAPED: Final[tuple[Callable[[_Maker], Planted], ...]] = (
    _bare("aws-access-key-id", lambda m: "AK" + "IA" + m.some(_UPPER, 16)),
    _named(
        "aws-secret-access-key",
        'aws_secret_access_key = "@@"',
        lambda m: m.some(_BASE64, 39) + "a",
    ),
    _bare("gcp-api-key", lambda m: "AI" + "za" + m.some(_URL, 35)),
    _service_account,
    _pem("RSA PRIVATE " + "KEY"),
    _pem("OPENSSH PRIVATE " + "KEY"),
    _pem("EC PRIVATE " + "KEY"),
    _named(
        "azure-storage-key",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=@@;EndpointSuffix=x",
        lambda m: m.some(_BASE64, 86) + "==",
    ),
    _named(
        "azure-shared-access-key",
        "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKey=@@",
        lambda m: m.some(_BASE64, 43) + "=",
    ),
    _bare("github-token", lambda m: "gh" + "p_" + m.some(_WORD, 36)),
    _bare("github-token", lambda m: "gh" + "o_" + m.some(_WORD, 36)),
    _bare("github-token", lambda m: "gh" + "s_" + m.some(_WORD, 36)),
    _bare(
        "github-token",
        lambda m: "github" + "_pat_" + m.some(_WORD, 22) + "_" + m.some(_WORD, 59),
    ),
    _bare("gitlab-token", lambda m: "gl" + "pat-" + m.some(_URL, 20)),
    _bare(
        "slack-token",
        lambda m: f"xox{'b'}-{m.some('0123456789', 12)}-{m.some(_WORD, 24)}",
    ),
    _named(
        "slack-webhook",
        "https://hooks.slack.com/services/@@",
        lambda m: f"T{m.some(_UPPER, 10)}/B{m.some(_UPPER, 10)}/{m.some(_WORD, 24)}",
    ),
    _bare("stripe-key", lambda m: "sk" + "_live_" + m.some(_WORD, 24)),
    _bare("openai-key", lambda m: "sk-" + m.some(_WORD, 48)),
    _bare("openai-key", lambda m: "sk-" + "proj-" + m.some(_URL, 100)),
    _bare("anthropic-key", lambda m: "sk-" + "ant-api03-" + m.some(_URL, 95)),
    _bare("huggingface-token", lambda m: "hf" + "_" + m.some(_LETTERS, 34)),
    _bare("npm-token", lambda m: "npm" + "_" + m.some(_WORD, 36)),
    _bare("pypi-token", lambda m: "pypi-" + "AgEIcHlwaS5vcmc" + m.some(_URL, 120)),
    _bare("twilio-key", lambda m: "SK" + m.some(_HEX, 32)),
    _bare("sendgrid-key", lambda m: f"S{'G'}.{m.some(_URL, 22)}.{m.some(_URL, 43)}"),
    _bare("mailgun-key", lambda m: "key" + "-" + m.some(_HEX, 32)),
    _bare("google-oauth", lambda m: "ya29" + "." + m.some(_URL, 120)),
    _bare("google-oauth", lambda m: "GOC" + "SPX-" + m.some(_URL, 28)),
    _bare("jwt", _jwt),
    _named(
        "url-password",
        "postgresql://svc:@@@db.internal:5432/orders",
        lambda m: m.some(_WORD, 18),
    ),
    _named("authorization", "Authorization: Bearer @@", lambda m: m.some(_WORD, 40)),
    _named("api-key", '{"api_key": "@@"}', lambda m: m.some(_WORD, 32)),
    _named("password", "password=@@", lambda m: m.some(_WORD, 12)),
    _named("password", '{"db": {"password": "@@"}}', lambda m: m.some(_WORD, 12)),
    _bare(
        "telegram-token",
        lambda m: m.some("123456789", 10) + ":" + "AA" + m.some(_URL, 33),
    ),
    _bare("discord-token", _discord),
    _bare("shopify-token", lambda m: "shp" + "at_" + m.some(_HEX, 32)),
    _bare("digitalocean-token", lambda m: "dop" + "_v1_" + m.some(_HEX, 64)),
    _bare("databricks-token", lambda m: "da" + "pi" + m.some(_HEX, 32)),
    _bare("age-key", lambda m: "AGE-SECRET-" + "KEY-1" + m.some(_UPPER, 58)),
    _bare("vault-token", lambda m: "hv" + "s." + m.some(_URL, 90)),
    _bare("groq-key", lambda m: "gs" + "k_" + m.some(_WORD, 52)),
    _bare(
        "grafana-token",
        lambda m: "gl" + "sa_" + m.some(_WORD, 32) + "_" + m.some(_HEX, 8),
    ),
)
"""Makers of secrets whose shape, or the name beside them, gives them away."""


def planted(rounds: int, seed: int = 20_261_123) -> list[Planted]:
    """Return that many secrets of every kind, always the same ones."""
    maker = _Maker(seed)
    return [make(maker) for _ in range(rounds) for make in KEY_SHAPED]


def contexts(text: str) -> dict[str, str]:
    """Return a text as it comes to stand in others, by how."""
    once = json.dumps({"content": f"see\n{text}\nthere"})
    escaped = "".join(
        f"\\u{ord(c):04x}" if c in "-_/:." else c for c in json.dumps(text)
    )
    return {
        "alone": text,
        "in prose": f"The value is {text} and that is all.",
        "quoted": f"it's `{text}`, ok",
        "in json": once,
        "in json in json": json.dumps({"arguments": once}),
        "in json thrice": json.dumps([json.dumps({"arguments": once})]),
        "json with slashes escaped": once.replace("/", "\\/"),
        "json with letters escaped": escaped,
        "a listing": "\n".join(
            f"{number:>6}\t{line}" for number, line in enumerate(text.split("\n"), 1)
        ),
        "an arrow listing": "\n".join(
            f"{number:>6}→{line}" for number, line in enumerate(text.split("\n"), 1)
        ),
    }
