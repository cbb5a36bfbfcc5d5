"""What stands where an id, a word, a number or a time is expected: one line each.

`test_attack_tables.py` puts them into every path and query parameter of every endpoint. None is an
id that any row has, so none may show a row.
"""

from urllib.parse import quote

#: As it stands in the request target.
INJECTED: dict[str, str] = {}
#: Names of parameters that no endpoint has.
NAMES: dict[str, str] = {}

LONG = 8_000  # characters; a server's own limit of a target is 32 KiB (tests/integration/http)


def text(name: str, value: str) -> None:
    target(name, quote(value.encode("utf-8", "surrogatepass"), safe=""))


def target(name: str, raw: str) -> None:
    assert name not in INJECTED
    INJECTED[name] = raw


def unknown(name: str, raw: str) -> None:
    NAMES[name] = raw


# SQL, as ClickHouse reads it.
text("always true", "' OR '1'='1")
text("a comment", "w' OR 1=1 -- ")
text("a comment of C", "w'/**/OR/**/1=1/*")
text("a hash comment", "w' OR 1=1 #")
text("a second statement", "w'; DROP TABLE events; --")
text("a union", "' UNION ALL SELECT * FROM events --")
text("double quotes", 'w" OR ""="')
text("backquotes", "w` OR `1`=`1")
text("a backslash before the quote", "w\\' OR 1=1 --")
text("a backslash at the end", "w\\")
text("an escaped quote", "\\x27 OR 1=1 --")
text("a quote of full width", "w＇ OR 1=1 --")
text("a closing bracket", "w') OR (1=1")
text("a parameter of the engine", "{org_id:String}")
text("a setting of the engine", "w' SETTINGS readonly=0 --")
text("a function of the engine", "'||sleep(3)||'")
text("a table function", "w' UNION ALL SELECT * FROM url('http://127.0.0.1:9') --")
text("a wildcard", "%")
text("a wildcard of one", "_")
text("a pattern", ".*")
text("a heredoc", "$$ OR 1=1 $$")
text("a format", "w' FORMAT CSV --")
text("the engine's NULL", "\\N")
# JSON and other languages.
text("an object", '{"$ne": null}')
text("a list", '["w", "v"]')
text("a text in JSON", '"w"')
text("the end of a text", 'w", "org_id": "theirs')
text("a script", "<script>alert(1)</script>")
text("an entity", '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;')
text("a template", "{{7*7}}${7*7}#{7*7}")
text("a lookup", "${jndi:ldap://127.0.0.1:9/x}")
text("a shell", "w; cat /etc/passwd | $(id) `id`")
text("a format of C", "%s%n%x")
text("a format of Python", "{0.__class__}")
# Lines and headers.
text("a header", "w\r\nX-Injected: 1")
text("a line end", "w\nX-Injected: 1")
text("a body", "w\r\n\r\n<html>")
text("a line of Unicode", "w\u2028X-Injected: 1\u0085")
text("letters that end in CR LF", "w\u560d\u560aX-Injected: 1")
# NUL and its kin.
text("a NUL", "\0")
text("a NUL behind", "w\0")
text("a NUL before", "\0w")
text("all control characters", "".join(map(chr, range(32))) + "\x7f")
# Unicode.
text("a blank behind", "w ")
text("a blank before", " w")
text("a tab", "w\t")
text("a blank without width", "w\u200b")
text("a byte order mark", "\ufeffw")
text("right to left", "\u202ew")
text("a letter that looks alike", "ԝ")
text("a letter of full width", "ｗ")
text("a capital", "W")
text("a combining mark", "w\u0301")
text("an emoji", "👩\u200d🚀")
text("a noncharacter", "\uffff\U0010ffff")
text("a lone surrogate", "\ud800")
text("a thousand marks", "w" + "\u0301" * 1000)
# Bytes that are no UTF-8, and escapes of escapes.
target("an overlong slash", "%C0%AF")
target("an overlong NUL", "w%C0%80")
target("an overlong quote", "w%E0%80%A7")
target("Latin-1", "w%E9")
target("a byte that never is", "%FF%FE")
target("the first half of a letter", "w%E2%82")
target("a quote, twice escaped", "w%2527%2520OR%25201%253D1")
target("CR LF, twice escaped", "w%250d%250aX-Injected:1")
# Paths.
target("up", "%2E%2E")
text("up and over", "w/../../theirs/activity")
text("another endpoint", "w/activity")
text("a backslash up", "..\\..\\theirs")
text("a query", "w?org_id=theirs")
text("a fragment", "w#")
text("a parameter of a path", "w;org_id=theirs")
text("an address", "http://127.0.0.1:9/")
# Without end, and numbers that are none.
text("too long", "w" * LONG)
text("quotes without end", "'" * LONG)
text("brackets without end", "[" * LONG)
text("not a number", "NaN")
text("infinity", "-Infinity")
text("a number without end", "9" * 5000)
text("a huge exponent", "1e999999999")
text("a hexadecimal number", "0x7fffffff")
text("a number and SQL", "1 OR 1=1")
text("nothing at all", "null")
text("undefined", "undefined")
text("a year without end", "999999-01-01T00:00:00Z")

unknown("the org", "org_id")
unknown("an operator", "user_id[$ne]")
unknown("a list", "user_id[]")
unknown("in capitals", "LIMIT")
unknown("a setting of the engine", "max_result_rows")
unknown("a query of the engine", "query")
unknown("a database", "database")
unknown("SQL", quote("limit' OR 1=1 --"))
unknown("a header", "a%0D%0AX-Injected:1")
unknown("a NUL", "limit%00")
unknown("no UTF-8", "%FF")
unknown("a dunder", "__class__")
unknown("a token", "access_token")
unknown("empty", "")
unknown("too long", "l" * LONG)
