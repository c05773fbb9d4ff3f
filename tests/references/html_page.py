"""A strict reader of the pages that are written."""

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Parses a page strictly: every tag closed in order, every id once; keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []
        ids = [value for _, name, value in self.attributes if name == "id"]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f" {data.strip()}" if data.strip() else ""

    def check_self_contained(self, html: str) -> None:
        """No script, nothing fetched: every reference is inside the page or a picture in a data URI."""
        assert not {"script", "link", "iframe", "object", "embed"} & set(self.tags)
        for tag, key, value in self.attributes:
            if key in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                inside = value.startswith("#") or (tag == "img" and value.startswith("data:image/"))
                assert inside or tag == "a", (tag, key, value[:80])
            assert not key.startswith("on")
        assert "@import" not in html
        assert all(reference.startswith("#") for reference in re.findall(r"url\(([^)]*)\)", html))
