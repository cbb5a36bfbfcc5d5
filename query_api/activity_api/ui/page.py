"""`/`: the page that shows the activity. It asks the public API alone, with its reader's token.

Its sources are in query_api/ui; `make ui` builds them into `built`, which is what a wheel has.
"""

from pathlib import Path

from fastapi import APIRouter

from activity_api.static_files import POLICY, add_file, add_files

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "built"
#: What the page loads; nothing else of the folder is served.
FILES = ("app.js", "app.css", "licenses.txt")
# No text can become markup by a mistake of ours either: the browser refuses innerHTML and its like.
PAGE_POLICY = f"{POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"

add_file(router, "/", FOLDER / "page.html", PAGE_POLICY)
add_files(router, "/ui", FOLDER, FILES)
