"""Secrets in text: found in whatever they are wrapped, and little else is."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fleetspan
import fleetspan_collector
from fleetspan._redaction import Finder as Find
from fleetspan._redaction import Found, Redactor, find_secrets
from fleetspan._secret_kinds import KINDS
from fleetspan_collector.redact._finder import SECRETS, Finder, Holds

from ..claude_code.captures import NAMES, deliveries
from .corpus import KEY_SHAPED, contexts, planted

COLLECTORS = Finder(SECRETS)
BOTH = pytest.mark.parametrize(
    "find", [find_secrets, COLLECTORS], ids=["sdk", "collector"]
)
KEY = b"k" * 32


def redacted(text: str, find: Find = COLLECTORS) -> str:
    """Return a text without secrets."""
    return Redactor(KEY, find).text(text)


def test_there_are_at_least_twenty_kinds():
    """The corpus plants secrets of far more than twenty kinds, and all are known."""
    kinds = {each.kind for each in planted(1)}
    assert len(kinds) >= 30
    assert kinds <= {kind.name for kind in KINDS}


@BOTH
def test_planted_secrets_are_gone(find):
    """At least 99 % are gone, whatever they stand in; a marker names the kind."""
    missed, unnamed, total = [], [], 0
    for each in planted(4):
        for context, text in contexts(each.text).items():
            total += 1
            clean = redacted(text, find)
            forms = (each.secret, json.dumps(each.secret)[1:-1])
            if any(form in clean for form in forms) or clean == text:
                missed.append((each.kind, context))
            elif f"[redacted:{each.kind}:" not in clean:
                unnamed.append((each.kind, context))
    assert total == 4 * len(KEY_SHAPED) * 10
    assert len(missed) <= total * 0.01, missed
    assert unnamed == []


def test_raw_bytes_with_a_secret_are_suspected():
    """What the pre-filter passes over holds none: it sees all that is found later."""
    for each in planted(4):
        for context, text in contexts(each.text).items():
            assert COLLECTORS.suspects(text.encode()), (each.kind, context)


@BOTH
def test_json_stays_json(find):
    """JSON text is JSON afterwards, also inside of JSON."""
    for each in planted(2):
        for context, text in contexts(each.text).items():
            if "in json" in context or context.startswith("json"):
                clean = json.loads(redacted(text, find))
                while isinstance(clean, list | dict):
                    (clean,) = clean if isinstance(clean, list) else clean.values()
                    if context != "json with letters escaped" and clean[:1] in "[{":
                        clean = json.loads(clean)


@BOTH
def test_redacting_twice_changes_nothing(find):
    """A marker is not taken for a secret."""
    for each in planted(2):
        for text in contexts(each.text).values():
            clean = redacted(text, find)
            assert redacted(clean, find) == clean


def test_equal_secrets_have_equal_markers_and_different_ones_not():
    """A marker tells whether two secrets are one, wherever they stand."""
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3
    alone = redacted(token)
    assert re.fullmatch(r"\[redacted:github-token:[0-9a-f]{6}\]", alone)
    assert alone in redacted(json.dumps({"authorization": f"Bearer {token}"}))
    assert alone in redacted(f"export GITHUB_TOKEN={token}")
    assert alone in redacted(f'{{"api_key": "{token}"}}')
    assert redacted(token[:-1] + "9") not in (alone, token)
    assert Redactor(b"other key 16byte", COLLECTORS).text(token) != alone


@BOTH
def test_what_stands_before_a_token_does_not_hide_it(find):
    """Neither a letter, nor an encoded sign of an address, nor a name's underscore."""
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3
    key = "AK" + "IA" + "ABCDEFGH12345678"
    for text in (f"x{token}", f"?t%3D{token}", f"%20{key}", f"id_{key}", f"\\n{key}"):
        clean = redacted(text, find)
        assert token not in clean, text
        assert key not in clean, text


def test_a_marker_is_not_the_hash_of_the_secret_alone():
    """Without the key nobody can try secrets against a marker."""
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3
    hashed = redacted(token)[-7:-1]
    for plain in (hashlib.blake2b, hashlib.sha256, hashlib.md5):
        assert not plain(token.encode()).hexdigest().startswith(hashed)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        # a quote inside of the value, at two depths
        ('{"password": "ab\\"cd1"}', '{"password": "[…]"}'),
        (
            json.dumps({"a": json.dumps({"password": 'ab"cd1', "b": 1})}),
            r'{"a": "{\"password\": \"[…]\", \"b\": 1}"}',
        ),
        ("password='it is \"this\" one'", "password='[…]'"),
        ('{"password": 12345678, "b": 1}', '{"password": 0, "b": 1}'),
        ('{"password": ["hunter22"]}', '{"password": ["[…]"]}'),
        ("PGPASSWORD=hunter2x psql", "PGPASSWORD=[…] psql"),
        ("mysql --password=hunter2x -h db", "mysql --password=[…] -h db"),
        ("curl -u admin:hunter2x https://x", "curl -u admin:[…] https://x"),
        ("Cookie: sid=abc123; theme=dark\nHost: x", "Cookie: […]\nHost: x"),
        ("redis://:hunter2x@cache:6379/0", "redis://:[…]@cache:6379/0"),
        ("x-api-key: 0123456789abcdef01", "x-api-key: […]"),
        ("passwd=später1x;", "passwd=[…];"),
    ],
)
@BOTH
def test_values_that_their_name_gives_away(text, clean, find):
    """The value goes, all of it and nothing else."""
    marker = re.compile(r"\[redacted:[a-z-]+:[0-9a-f]{6}\]")
    assert marker.sub("[…]", redacted(text, find)) == clean


@pytest.mark.parametrize(
    "text",
    [
        "password: str, token: str | None = None",
        'password = os.environ["DB_PASSWORD"]',
        "api_key=settings.api_key, secret_key=self.secret_key",
        '"api_key": "${API_KEY}"',
        "password=$DB_PASSWORD",
        "Authorization: Bearer <token>",
        "Authorization: Bearer $TOKEN",
        '{"password": "********", "api_key": "your-api-key-here"}',
        "bearer authentication-and-authorization",
        "max_tokens: 4096, input_tokens=120, cache_read_tokens=4000",
        "PWD=/home/me/project OLDPWD=/home/me",
        "http://localhost:8080/@vite/client",
        "https://example.com:8443/a?b=c@d",
        "git@github.com:owner/name.git",
        "task-0123456789abcdef0123456789abcdef risk-free disk-usage",
        "sk-learn and sk-SK locale",
        "npm_config_registry npm_lifecycle_event hf_hub_download",
        "req_011CSHoEeqs5C35K2UUqR7Fy toolu_01A09q90qw90lq917835lq9",
        "msg_01XFDUDYJgAACzvnptvVoYEL prompt.id=0b7e9a64-9f4e-4b3a-8a5b-6c1d2e3f4a5b",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 7eb6bb97eb6bb97eb6bb97eb6bb97eb6bb97eb6b",
        "C:\\nsk\\new\\table \\begin{cases} \\\\ \\end{cases}",
        "the secret: keep it simple; the password is a secret",
    ],
)
@BOTH
def test_what_is_no_secret_stays(text, find):
    """Ids, hashes, placeholders, code and prose come out as they went in."""
    assert redacted(text, find) is text


def _false_alarm_corpus() -> Iterator[str]:
    draw = random.Random(7)
    for _ in range(400):
        yield draw.randbytes(16).hex()
        yield draw.randbytes(8).hex()
        yield draw.randbytes(20).hex()
        yield draw.randbytes(32).hex()
        yield str(uuid.UUID(bytes=draw.randbytes(16)))
        yield "req_" + base64.urlsafe_b64encode(draw.randbytes(18)).decode()
        yield "toolu_" + draw.randbytes(12).hex()
        yield "sha512-" + base64.b64encode(draw.randbytes(64)).decode()
    for _ in range(20):
        image = base64.b64encode(draw.randbytes(60_000)).decode()
        yield json.dumps({"type": "base64", "media_type": "image/png", "data": image})
        yield base64.urlsafe_b64encode(draw.randbytes(60_000)).decode()
    for package in (fleetspan, fleetspan_collector):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            yield from path.read_text("utf-8").split("\n\n")


def test_false_alarms_are_few():
    """Of ids, hashes, images and code less than one text in a thousand is touched."""
    corpus = list(_false_alarm_corpus())
    touched = [text for text in corpus if redacted(text) is not text]
    assert len(corpus) > 5_000
    assert len(touched) <= len(corpus) / 1000, [text[:200] for text in touched]


@pytest.mark.parametrize("name", NAMES)
def test_real_sessions_are_not_touched(name):
    """Nothing in what real sessions of Claude Code sent is taken for a secret."""
    for each in deliveries(name):
        assert Redactor(KEY, COLLECTORS).clean(each.body) is each.body


def test_the_work_is_in_proportion_to_the_text():
    """Of almost-secrets, twice as many take twice the work, and none is taken."""
    almost = (
        "gh" + "p_" + "A1b2C3" * 5 + " -----BEGIN RSA PRIVATE " + "KEY----- token=",
        "password=$ api_key=<x> secret_key=a\\\\\\\\ authorization: x eyJhbGciOi.eyJ",
        "AK"
        + "IA012 http://a:b:c:d@ \\u0070 token=token=token=token=aaaaaaaaaaaaaaaa ",
        "bearer " * 3 + "cookie: " * 3 + "https://u:p/@ " + "\\" * 40,
    )
    for text in almost:
        counted = []
        for repeats in (200, 400):
            finder = _Counting(text * repeats)
            counted.append(finder.asked)
        assert counted[1] <= 2 * counted[0] + 100, text


class _Counting:
    """Counts what is asked of Python while a text is gone through."""

    def __init__(self, text: str) -> None:
        self.asked = 0
        shapes = [
            type(each)(each.kind, self._holds(each.holds), each.compile)
            for each in SECRETS
        ]
        Redactor(KEY, Finder(shapes)).text(text)

    def _holds(self, holds: Holds) -> Holds:
        def counting(text: bytes, start: int, end: int) -> bool:
            self.asked += 1 + (end - start) // 64
            return bool(holds(text, start, end))

        return counting


def test_no_pattern_can_run_away():
    """No repetition without a bound stands inside another: each is linear."""
    parser = __import__("re")._parser

    def depth(tree: Any, inside: int = 0) -> int:
        deepest = inside
        for operation, argument in tree:
            name = str(operation)
            if name in ("MAX_REPEAT", "MIN_REPEAT"):
                _, most, body = argument
                more = inside + (most == parser.MAXREPEAT)
                deepest = max(deepest, depth(body, more))
            elif name == "BRANCH":
                deepest = max([deepest, *(depth(each, inside) for each in argument[1])])
            elif name == "SUBPATTERN":
                deepest = max(deepest, depth(argument[3], inside))
        return deepest

    for kind in KINDS:
        assert depth(parser.parse(kind.pattern.encode())) <= 1, kind.name


def test_overlapping_finds_count_once():
    """Of two shapes at one place the longer counts, and one marker stands there."""
    found: list[Found] = list(
        COLLECTORS(b'api_key="sk-' + b"ant-api03-" + b"Ab1_" * 20 + b'"')
    )
    assert [each.kind.name for each in found] == ["anthropic-key"]
