"""Texts that hold a secret whatever they are called: a JWT, a well-known prefix, `password=...`."""

import base64
import binascii
import re

from activity_emit.event.secret_keys import fold, is_secret_key

REDACTED = "[redacted]"

# What their makers have given a prefix to be found by.
_MARKED = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}"  # JWT, JWE
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*-----|$)"
    r"|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"  # AWS
    r"|\bAIza[\w-]{30,}|\bya29\.[\w.-]{16,}|\bGOCSPX-[\w-]{16,}"  # Google
    r"|\b[\w~.-]{3}8Q~[\w~.-]{30,}"  # Azure
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[\w+/=]{16,}"  # Stripe
    r"|\b(?:sk|pk|rk)-(?:live|test|proj|ant|svcacct|or)-[\w-]{8,}|\bsk-[A-Za-z0-9]{20,}"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{8,}|\bxapp-[\w-]{16,}|(?<=hooks\.slack\.com/)[\w/]{20,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{30,}|\bhf_[A-Za-z]{30,}"
    r"|\bshp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}|\bdo[opr]_v1_[0-9a-f]{40,}|\bhv[sbr]\.[\w-]{20,}"
    r"|\bdapi[0-9a-f]{32}|\bglsa_\w{30,}|\bNRAK-[A-Z0-9]{20,}|\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"
    r"|(?<=://)[^/\s:@]*:[^/\s]*@|(?<=://)[^/\s:@]{16,}@",  # user:password@, token@
    re.DOTALL,
)
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+([\w.~+/-]{6,}={0,2})")
_LIKE_A_TOKEN = re.compile(r".*(\d|[._~+/=]\w|=)|.{20}", re.DOTALL)
# `name=value`, `name: value`, also quoted. Whether it names a secret is `is_secret_key`'s.
_NAMED = re.compile(
    r"(?i)(?P<name>[\w.-]{0,64}(?:pass|pwd|secret|token|key|credential|authori|cookie|sig|jwt|sess)"
    r"[\w.-]{0,64}|(?:(?:api|access|private|secret|account)\s)key)[\"']?\s*[=:]\s*"
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s&;,]+)"
)
_COUNT = re.compile(r"[\d.]{1,9}%?|true|false|null|none|yes|no", re.IGNORECASE)
_CARD = re.compile(
    r"(?<![\w.-])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|5\d\d))([ -]?)\d{4}\1\d{4}\1\d{4}(?![\w-])"
    r"|(?<![\w.-])3[47]\d\d([ -]?)\d{6}\2\d{5}(?![\w-])"
)

# Most texts hold nothing, and are to be ruled out fast: a search for some thirty fixed words takes
# a tenth of the time of one regular expression of them all. In lower case:
_IN_MARKED = (
    *("eyj", "-----begin", "akia", "asia", "abia", "acca", "aiza", "ya29.", "gocspx-", "8q~"),
    *("sk_", "pk_", "rk_", "sk-", "pk-", "rk-", "whsec_", "github_pat_", "glpat-", "xox", "xapp-"),
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "hooks.slack", "sg.", "npm_", "pypi-", "hf_", "shp"),
    *("_v1_", "hvs.", "hvb.", "hvr.", "dapi", "glsa_", "nrak-", "-key-1", "://"),
)
_IN_NAMES = (
    *("pass", "pwd", "secret", "token", "key", "credential", "authori", "cookie", "sig", "jwt"),
    "sess",
)
_LONG_WORD = re.compile(r"\S{12}")
_EIGHT_DIGITS = re.compile(r"\d\d\d\d[ -]?\d\d\d\d")


def hide_secrets(text: str) -> str:
    """`text` with what looks like a secret replaced."""
    plain = fold(text)
    lower = plain.lower()
    spans: list[tuple[int, int]] = []
    if _LONG_WORD.search(plain) is not None and _has(lower, _IN_MARKED):
        spans += [match.span() for match in _MARKED.finditer(plain)]
    if ("=" in plain or ":" in plain) and _has(lower, _IN_NAMES):
        spans += _named(plain)
    if "bearer" in lower or "basic" in lower:
        spans += [match.span() for match in _HEADER.finditer(plain) if _is_header(match)]
    return _without(text, spans) if spans else text


def _has(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as `any`
        if word in text:
            return True
    return False


def hide_cards(text: str) -> str:
    """`text` without numbers of payment cards. Not for ids, which may look the same."""
    if len(text) < 15 or _EIGHT_DIGITS.search(text) is None:
        return text
    spans = [match.span() for match in _CARD.finditer(text) if _luhn(match[0])]
    return _without(text, spans) if spans else text


def _is_header(match: re.Match[str]) -> bool:
    value = match[2]
    if match[1].lower() == "bearer":
        return _LIKE_A_TOKEN.match(value) is not None
    try:  # user:password
        padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
        return b":" in base64.b64decode(padded, altchars=b"-_", validate=False)
    except (binascii.Error, ValueError):
        return False


def _named(text: str) -> list[tuple[int, int]]:
    spans = []
    position = 0
    while (match := _NAMED.search(text, position)) is not None:
        if is_secret_key(match["name"]) and _COUNT.fullmatch(match["value"]) is None:
            spans.append(match.span())
            position = match.end()
        else:  # its value may hold another pair
            position = match.start("value")
    return spans


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if end <= done:
            continue
        if start >= done:
            parts += (text[done:start], REDACTED)
        done = end
    return "".join([*parts, text[done:]])


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
