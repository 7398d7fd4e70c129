"""Pages: the same blocks as Markdown, HTML and for a terminal, whatever names there are."""

import html.parser
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fleetspan_collector.insights.rendering import html as html_pages
from fleetspan_collector.insights.rendering import markdown
from fleetspan_collector.insights.rendering.blocks import (
    Bar,
    Bars,
    Block,
    Grid,
    Heading,
    Item,
    Items,
    Paragraph,
)
from fleetspan_collector.insights.rendering.terminal import print_page

EVIL = '<script src="//e">|`x` [a](http://e) *b* _c_\x1b[31m\n# h & "q\'</style>'


def page(text: str) -> list[Block]:
    """Return a page that has a text in every place where one can be."""
    return [
        Heading(text, 1),
        Paragraph(text),
        Paragraph(text, aside=True),
        Grid((text, "n"), ((text, "1"), (text, text)), words=1),
        Bars((Bar(text, 0.5, text), Bar("over", 7.0, "x"))),
        Items((Item(text, (text,), text, (("runs", (text,) * 7),)),), numbered=True),
    ]


class Reader(html.parser.HTMLParser):
    """Reads a page: its elements, its attributes, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


class TestHtml:
    """One file, with nothing to load or run."""

    def test_nothing_loaded(self):
        """There is no script and no address anywhere, and a policy forbids both."""
        document = html_pages.to_html(page(EVIL))
        reader = Reader(document)
        assert set(reader.tags) <= {
            *("html", "head", "meta", "title", "style", "body", "main", "h1", "p"),
            *("div", "table", "thead", "tbody", "tr", "th", "td", "span", "ol", "li"),
            *("strong", "code", "details", "summary"),
        }
        assert reader.attributes <= {
            *("lang", "charset", "http-equiv", "content", "name", "class", "style"),
        }
        style = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
        assert len(style) == 1
        assert "url(" not in style[0]
        assert "@import" not in style[0]
        assert "default-src 'none'" in document

    @given(st.text(min_size=1))
    def test_any_text_is_itself(self, text):
        """Whatever a name is, the page has the same elements, and the name as a text."""
        plain_page, evil_page = (
            Reader(html_pages.to_html(page("x"))),
            Reader(html_pages.to_html(page(text))),
        )
        assert evil_page.tags == plain_page.tags
        assert evil_page.attributes == plain_page.attributes

    def test_light_and_dark(self):
        """The page has colours for both."""
        document = html_pages.to_html(page("x"))
        assert "prefers-color-scheme: dark" in document
        assert '<meta name="color-scheme" content="light dark">' in document

    def test_all_evidence(self):
        """Ids beyond the first five are behind a fold, and all are there."""
        ids = tuple(f"run-{number}" for number in range(40))
        document = html_pages.to_html(
            [Items((Item("t", ("l",), "", (("runs", ids),)),))]
        )
        assert all(f"<code>{each}</code>" in document for each in ids)
        assert "<summary>35 more</summary>" in document

    def test_bounded(self):
        """A page holds 200 ids of a kind, and says how many more there are."""
        ids = tuple(f"run-{number}" for number in range(1000))
        document = html_pages.to_html(
            [Items((Item("t", ("l",), "", (("runs", ids),)),))]
        )
        assert document.count("<code>") == 200
        assert "and 800 more, in the JSON form" in document

    def test_bars_stay_within(self):
        """A share is drawn between nothing and the whole."""
        document = html_pages.to_html([Bars((Bar("a", 7.0, "x"), Bar("b", -1.0, "y")))])
        assert re.findall(r"width:([0-9.]+)%", document) == ["100.0", "0.0"]


class TestMarkdown:
    """Text means itself."""

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("find_customer", r"find\_customer"),
            ("a|b", r"a\|b"),
            ("<b>&", "&lt;b&gt;&amp;"),
            ("[x](y)", r"\[x\](y)"),
            ("`x`", r"\`x\`"),
            ("- x", r"\- x"),
            ("12. x", r"12\. x"),
            ("# x", r"\# x"),
            ("see http://e.org", r"see http\://e.org"),
            ("www.e.org", r"www\.e.org"),
            ("two\nlines", "two lines"),
            ("\x1b[31m", "\N{REPLACEMENT CHARACTER}\\[31m"),
            ("plain, 5 % (more)", "plain, 5 % (more)"),
        ],
    )
    def test_escape(self, text, written):
        """Each mark of Markdown and of HTML is escaped, and nothing else."""
        assert markdown.escape(text) == written

    def test_cells(self):
        """A table has as many cells in each row, whatever is in them."""
        table = markdown.to_markdown([Grid(("a", "b"), (("x|y", "1"), ("z", "2")))])
        assert table == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n| z | 2 |\n"

    def test_items(self):
        """Things to do are numbered, with their lines and evidence below them."""
        item = Item("Title", ("Line.",), "saves 1s", (("runs", ("r1", "r2")),))
        assert markdown.to_markdown([Items((item,), numbered=True)]) == (
            "1. **Title** (saves 1s)\n   - Line.\n   - runs: `r1`, `r2`\n"
        )

    @given(st.text(min_size=1))
    def test_as_many_lines(self, text):
        """No text adds lines of its own."""
        assert len(markdown.to_markdown(page(text)).splitlines()) == len(
            markdown.to_markdown(page("x")).splitlines()
        )


class TestTerminal:
    """What people see."""

    @pytest.mark.parametrize("width", [40, 80, 120])
    def test_width(self, width):
        """No line is longer than the terminal is wide, and no control gets through."""
        out = io.StringIO()
        blocks = page(EVIL + " word" * 40)
        print_page(blocks, Console(file=out, width=width, color_system=None))
        assert max(len(line) for line in out.getvalue().splitlines()) <= width
        assert "\x1b" not in out.getvalue()
