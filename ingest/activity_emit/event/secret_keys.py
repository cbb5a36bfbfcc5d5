"""Which names are those of secrets: `clientSecret`, `X-API-KEY`, and not `token_budget`."""

import re
import unicodedata
from functools import lru_cache

_LONGEST = 128  # characters of a name that is remembered

# Letters of other alphabets that look like Latin ones, in lower case.
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕԁԛԝһкмтвнαοερκνιυτβ" + "ıſɑɡ＿‐‑‒–—",
    "aeopcyxijsdqwhkmtbhaoepkviutb" + "isag_-----",
)
# `APIKey2` -> API, Key, 2
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VERSION = re.compile(r"\d+|v\d*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Names are mostly compounds, and the last word says what the thing is: a token's budget is none.
_DESCRIBES = _words(
    """accepted age alg algorithm arn at attempts banner budget category changed class consent cost
    count counter counts created date day days domain duration enabled endpoint error exists
    expired expires expiration expiry field fields format generated granted holder id ids index
    invalid issued issuer kind label last length level limit limits location max method min mint
    missing mode name names notice number owner page per period policies policy preference
    preferences present price protected provider quota rate ratio reason ref reference remaining
    required requirements requirement rotated rotation scope scopes seconds service setting
    settings sha size source spent state status strategy strength style success support
    supported symbol time timeout timestamp title total ttl type types updated usage used valid
    validity vendor verified version warning window"""
)
# Secrets by themselves, also as a part of a word that is written without a gap.
_STEMS = re.compile(
    r"passw(or)?d|passphrase|passcode|passwrd|secret(?!ar|i)|credential|authori[sz]ation$"
    r"|apikey|accesskey|privatekey|signingkey|encryptionkey|masterkey|sessionid|sessid|mnemonic|connectionstring"
    r"|(?<!non)token$|.jwt$|(auth|access|refresh|api|bearer|session|id|csrf|xsrf)tokens$|.cookie$"
)
_WORDS = _words(
    """bearer cookie cookies csrf cvc cvv dsn jwt jwts otp pin pwd pw xsrf sid signature ssn totp
    sig"""
)
_PAIRS = {
    "key": """access account admin aes api auth client decryption deploy encryption fernet gpg
    hmac host license master pgp private root rsa secret service session shared signature signing
    ssh storage wrapping""",
    "keys": "access api private secret signing encryption ssh",
    "id": "session",
    "code": """auth authentication authorization backup mfa otp pin recovery reset security
    verification""",
    "codes": "backup mfa recovery otp",
    "phrase": "seed recovery pass",
    "string": "connection",
    "header": "auth cookie",
    "answer": "security",
    "tokens": "access api auth bearer csrf id personal refresh secret session xsrf",
    "number": "card pan cc pin",
    "pass": "admin auth db ftp http mail mysql pg proxy redis root smtp ssh user api app my login",
    "url": "reset signed presigned invite magic",
    "link": "reset magic",
}
_SECOND = {word: _words(firsts) for word, firsts in _PAIRS.items()}
# Of language models: what is counted, and not what opens a door.
_COUNTED = _words(
    """prompt completion input output total max min cached reasoning num per cost price used
    remaining budget estimated generated new"""
)


def is_secret_key(name: str) -> bool:
    """Whether a key, or a path parameter, is named like a secret."""
    return _remembered(name) if len(name) <= _LONGEST else _decide(name[:4096])


@lru_cache(maxsize=1024)
def _remembered(name: str) -> bool:
    return _decide(name)


def fold(text: str) -> str:
    """`text` with Latin letters in place of those that look alike; character for character."""
    if text.isascii():
        return text
    return "".join(map(_fold_one, text))


@lru_cache(maxsize=1024)
def _fold_one(character: str) -> str:
    upper = character.isupper()
    base = unicodedata.normalize("NFKD", character)[:1]
    base = base.lower().translate(_LOOK_ALIKES)[:1] or character
    return base.upper() if upper else base


def _decide(name: str) -> bool:
    if not name.isascii():
        # What cannot be seen, and accents, are not what tells two names apart.
        name = unicodedata.normalize("NFKD", name)
        name = "".join(c for c in name if not unicodedata.combining(c))
    name = fold("".join(c for c in name if c.isprintable()))
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and _VERSION.fullmatch(words[-1]):
        words.pop()
    if not words:
        return False
    names_it = [number for number in range(len(words)) if _is_secret(words, number)]
    if not names_it:
        return False
    return names_it[-1] == len(words) - 1 or words[-1] not in _DESCRIBES


def _is_secret(words: list[str], number: int) -> bool:
    word = words[number]
    before = words[number - 1] if number else None
    if before in _SECOND.get(word, ()):
        return True
    if word == "token" and before in _COUNTED:
        return False
    if word == "pass":
        return len(words) == 1
    return word in _WORDS or _STEMS.search(word) is not None
