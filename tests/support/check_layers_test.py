"""The layer checker reports what it is there to report."""

import os
import tempfile
import unittest

import check_layers

CMAKE = """
oslo_layer(core)
oslo_layer(wire DEPENDS core)
oslo_layer(protocol DEPENDS core)
oslo_layer(net DEPENDS core protocol)
oslo_layer(drivers DEPENDS core wire protocol net)
oslo_layer(rpc DEPENDS core)
oslo_layer(notify DEPENDS core)
oslo_layer(blocking DEPENDS core rpc)
"""


class CheckLayers(unittest.TestCase):
    def findings(self, path, text):
        with tempfile.TemporaryDirectory() as root:
            files = {
                "CMakeLists.txt": CMAKE,
                "src/core/a.cpp": "#include <oslo/messaging/error.hpp>\n",
                "include/oslo/messaging/error.hpp": "#pragma once\n#include <string>\n",
                path: text,
            }
            for name, content in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)) or root, exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(content)
            return check_layers.check(root)

    def test_accepts(self):
        cases = {
            "src/wire/a.cpp": '#include "wire/b.hpp"\n#include "core/c.hpp"\n#include <string>\n',
            "src/drivers/r/a.cpp": '#include "net/b.hpp"\n#include <boost/asio/post.hpp>\n',
            "src/drivers/r/c.cpp": '#include "drivers/r/b.hpp"\n#include "drivers/a.hpp"\n',
            "src/protocol/a.cpp": "void f(std::chrono::steady_clock::time_point now);\n",
            "src/protocol/b.cpp": "// the caller passes steady_clock::now()\n",
            "src/core/pool.cpp": "#include <thread>\n",
            "include/oslo/messaging/asio.hpp": "#include <boost/asio/any_io_executor.hpp>\n",
            "include/oslo/messaging/blocking.hpp": "#include <oslo/messaging/rpc/client.hpp>\n",
            "include/oslo/messaging/messaging.hpp": "#include <oslo/messaging/rpc.hpp>\n",
            "tools/oslo-msg/a.cpp": "#include <oslo/messaging/rpc.hpp>\n",
            "tools/oslo-msg/b/a.hpp": '#include "b/a.hpp"\n',
        }
        for path, text in cases.items():
            with self.subTest(path):
                self.assertEqual(self.findings(path, text), [])

    def test_rejects(self):
        cases = {
            "src/core/b.cpp": (
                '#include "wire/a.hpp"',
                "core must not include wire/a.hpp: wire is not below it",
            ),
            "src/wire/b.cpp": ('#include "protocol/a.hpp"', "wire must not include protocol/a.hpp"),
            "src/drivers/r/b.cpp": (
                '#include "drivers/q/a.hpp"',
                "r must not include drivers/q/a.hpp, another driver's",
            ),
            "src/rpc/b.cpp": ('#include "drivers/a.hpp"', "rpc must not include drivers/a.hpp"),
            "src/rpc/c.cpp": ("#include <oslo/messaging/notify/n.hpp>", "which belongs to notify"),
            "src/notify/c.cpp": ('#include "rpc/a.hpp"', "notify must not include rpc/a.hpp"),
            "src/drivers/b.cpp": ("#include <oslo/messaging/rpc.hpp>", "which belongs to rpc"),
            "src/core/c.cpp": ("# include <boost/asio.hpp>", "core must not include Asio"),
            "src/protocol/c.cpp": ("#include <mutex>", "protocol must not use threads (mutex)"),
            "src/protocol/d.cpp": ("auto t = std::chrono::steady_clock::now();", "clock"),
            "src/wire/d.cpp": ('#include "../core/a.hpp"', "not a relative path"),
            "src/core/d.cpp": ("#include <oslo/messaging/messaging.hpp>", "the umbrella"),
            "src/other/a.cpp": ("int i;", "declares no such layer"),
            "include/oslo/messaging/a.hpp": ('#include "core/a.hpp"', "which is internal"),
            "include/oslo/messaging/b.hpp": (
                "#include <oslo/messaging/rpc/client.hpp>",
                "belongs to rpc",
            ),
            "include/oslo/messaging/rpc/c.hpp": (
                "#include <oslo/messaging/notify.hpp>",
                "belongs to notify",
            ),
            "include/oslo/messaging/rpc/d.hpp": ('#include "error.hpp"', "which is internal"),
            "tools/oslo-msg/b/c.cpp": ('#include "c/a.hpp"', "which is internal"),
            "tools/oslo-msg/b.cpp": ('#include "wire/envelope.hpp"', "which is internal"),
            "python/src/b.cpp": ('#include "core/text.hpp"', "which is internal"),
        }
        for path, (text, expected) in cases.items():
            with self.subTest(path):
                findings = self.findings(path, text + "\n")
                self.assertEqual(len(findings), 1, findings)
                self.assertTrue(findings[0].startswith(path.rsplit("/", 1)[0]), findings)
                self.assertIn(expected, findings[0])

    def test_needs_layers(self):
        self.assertIn("declares no layer", self.findings("CMakeLists.txt", "project(x)\n")[0])


if __name__ == "__main__":
    unittest.main()
