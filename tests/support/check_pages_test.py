"""The checker of the pages notices what does not fit together."""

import pathlib
import tempfile
import unittest

from check_pages import faults

PROJECT = {
    "README.md": "[examples](examples): 1 programs, [docs](docs/README.md#a-heading-its-own)\n",
    "CONTRIBUTING.md": "[web](https://example.org/none) [tests](tests)\n",
    "include/oslo/messaging/version.hpp": '#define OSLO_MESSAGING_VERSION "1.2.3"\n',
    "examples/01.cpp": "",
    "tests/interop/CMakeLists.txt": 'set(peers "4.5.6 ${PYTHON}")\n',
    "docs/README.md": "# A heading: its `own`\n[o](options.md) [v](versions.md) [here](#a-heading-its-own)\n",
    "docs/options.md": "## [oslo_messaging_rabbit]\n| `ssl` | boolean |\n",
    "docs/versions.md": "The version of this library is 1.2.3. Tested with 4.5.6.\n"
    "```ini\n[own]\nx = 1\n[oslo_messaging_rabbit]\nssl = true\n```\n",
}


class Pages(unittest.TestCase):
    def check(self, **changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in (PROJECT | changes).items():
                root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
                root.joinpath(name).write_text(text, "utf-8")
            return list(faults(root))

    def more(self, page, text):
        return self.check(**{page: PROJECT[page] + text})

    def test_what_fits_passes(self):
        self.assertEqual(self.check(), [])

    def test_links(self):
        for link, fault in [
            ("gone.md", "there is no gone.md"),
            ("README.md#gone", "README.md#gone leads to no heading"),
            ("#gone", "#gone leads to no heading"),
        ]:
            with self.subTest(link):
                found = self.more("docs/versions.md", f"[x]({link})\n")
                self.assertEqual(found, [f"docs/versions.md: {fault}"])
        self.assertEqual(self.more("docs/versions.md", "```cpp\nx[0](y)\n```\n"), [])

    def test_pages_that_nobody_names(self):
        self.assertEqual(self.check(**{"docs/new.md": ""}), ["docs/README.md does not name new.md"])

    def test_counts_and_versions(self):
        self.assertEqual(
            self.check(**{"examples/02.cpp": ""}),
            ["README.md does not say that there are 2 examples"],
        )
        self.assertEqual(
            self.check(**{"docs/versions.md": ""}),
            [
                "docs/versions.md does not say that this is 1.2.3",
                "docs/versions.md does not name oslo.messaging 4.5.6",
            ],
        )

    def test_peers_are_there_to_be_found(self):
        (found,) = self.check(**{"tests/interop/CMakeLists.txt": ""})
        self.assertIn("names no peer", found)

    def test_options(self):
        shown = "```ini\n[oslo_messaging_rabbit]\nssI = true\n```\n"
        self.assertEqual(
            self.more("docs/versions.md", shown),
            ["docs/versions.md: [oslo_messaging_rabbit] has no option ssI"],
        )


if __name__ == "__main__":
    unittest.main()
