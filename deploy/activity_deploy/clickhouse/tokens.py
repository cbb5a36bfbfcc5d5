"""ClickHouse's lexer, as far as we need it."""

import re

TOKEN = re.compile(
    rb"""(?P<space> \s+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/ )
       | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` )
       | (?P<heredoc> \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$ )
       | (?P<word> \w+ )
       | (?P<other> . )""",
    re.VERBOSE | re.DOTALL,
)
