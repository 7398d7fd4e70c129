"""What a call of a tool touches: paths, hosts and command lines, as far as it says so.

A command line is read, not run: what a program does once it runs is not seen here. These
are guard rails for agents that mean well, no prison for one that does not.
"""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

SHELLS: Final = frozenset({"Bash", "PowerShell", "Shell"})
_PATH_KEYS: Final = (
    *("file_path", "notebook_path", "path", "directory", "filePath", "filename"),
)
_URL_KEYS: Final = ("url", "uri", "endpoint")
_URL: Final = re.compile(r"\b(?:https?|ftp|ssh|git|wss?)://[^\s'\"<>|;&)]+")
_SCP: Final = re.compile(r"(?:[\w.-]+@)([\w-]+(?:\.[\w-]+)+):")
_HOST: Final = re.compile(r"(?:[\w-]+\.)+[a-zA-Z]{2,}")
_TALKERS: Final = frozenset(
    {"curl", "wget", "ssh", "scp", "sftp", "nc", "ncat", "telnet", "ping", "rsync"}
)
_SEPARATORS: Final = frozenset(";&|()<>")
_MOST_CHARACTERS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a tool that is about to be made.

    Attributes:
        tool: Its name.
        arguments: What it is given.
        cwd: Where relative paths begin; ``""`` when not known.
        command: The command line of a shell, else ``""``.
        paths: Absolute where ``cwd`` is known, without ``..``; ``~`` is kept.
        hosts: In lower case.
    """

    tool: str
    arguments: Mapping[str, Any]
    cwd: str
    command: str
    paths: tuple[str, ...]
    hosts: tuple[str, ...]


def read_call(tool: str, arguments: Mapping[str, Any], cwd: str = "") -> Call:
    """Find what a call touches."""
    command = ""
    if tool in SHELLS or isinstance(arguments.get("command"), str):
        command = str(arguments.get("command") or "")[:_MOST_CHARACTERS]
    words = list(_words(command))
    named = [
        arguments[key] for key in _PATH_KEYS if isinstance(arguments.get(key), str)
    ]
    paths = dict.fromkeys(
        _absolute(path, cwd) for path in (*named, *filter(_is_path, words)) if path
    )
    texts = [arguments[key] for key in _URL_KEYS if isinstance(arguments.get(key), str)]
    hosts = dict.fromkeys(
        host for host in (*_hosts(texts), *_hosts_of_command(command, words)) if host
    )
    return Call(
        tool=tool,
        arguments=arguments,
        cwd=cwd,
        command=command,
        paths=tuple(paths),
        hosts=tuple(hosts),
    )


def _words(command: str) -> Iterator[str]:
    """Yield the words of a command line, without what stands between commands."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        for word in lexer:
            if not set(word) <= _SEPARATORS:
                yield word
    except ValueError:
        # A quote that does not end: the rest as it stands.
        yield from command.split()


def _is_path(word: str) -> bool:
    _, _, value = word.rpartition("=")
    looks = value.startswith(("/", "./", "../", "~", ".")) or "/" in value
    return looks and not _URL.match(value) and not _SCP.match(value)


def _absolute(path: str, cwd: str) -> str:
    value = path.rpartition("=")[2] if path.startswith("-") else path
    if value.startswith(("/", "~")) or not cwd:
        return os.path.normpath(value)
    return os.path.normpath(os.path.join(cwd, value))


def _hosts(texts: list[str]) -> Iterator[str]:
    for text in texts:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
        if host:
            yield host.lower()


def _hosts_of_command(command: str, words: list[str]) -> Iterator[str]:
    for match in _URL.finditer(command):
        try:
            yield (urlsplit(match.group()).hostname or "").lower()
        except ValueError:
            continue
    for match in _SCP.finditer(command):
        yield match.group(1).lower()
    talks = False
    for word in words:
        if os.path.basename(word) in _TALKERS:
            talks = True
        elif talks and (found := _HOST.fullmatch(word.rpartition("@")[2])):
            yield found.group().lower()
