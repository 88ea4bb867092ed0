"""The pictures of the pages: run a page's Python blocks, and save the figure they end with.

python docs/pictures.py
"""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGES = ("sparse", "evaluation")


def main() -> None:
    for page in PAGES:
        code = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.M | re.S)
        names: dict[str, Any] = {}
        exec("\n".join(code), names)
        names["figure"].savefig(DOCS / "pictures" / f"{page}.png", dpi=110)


if __name__ == "__main__":
    main()
