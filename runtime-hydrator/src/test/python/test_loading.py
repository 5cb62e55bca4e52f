"""What is wrong with a snapshot is said by file and line, and a snapshot that is fine has the runtime's own id."""

import os
import subprocess
import sys
import unittest

import harness

HEAD = "from aiel_sdk import tool, agent, router, flow, http\n"

#: name: (files, code, file, line, part of the message)
BROKEN = {
    "no entry point": ({"other.py": "x = 1\n"}, "ENTRY_POINT_MISSING", "entry_point.py", None, "entry_point.py"),
    "syntax error": ({"entry_point.py": HEAD + "def f(:\n    pass\n"}, "SYNTAX_ERROR", "entry_point.py", 2, ""),
    "syntax error in a file that nobody imports": (
        {"entry_point.py": HEAD, "pkg/broken.py": "\n\nx = = 1\n"}, "SYNTAX_ERROR", "pkg/broken.py", 3, ""),
    "missing module": ({"entry_point.py": HEAD + "import no_such_module\n"}, "IMPORT_ERROR", "entry_point.py", 2, "no_such_module"),
    "error in a module that is imported": (
        {"entry_point.py": HEAD + "import helper\n", "helper.py": "\nvalue = {}['k']\n"}, "IMPORT_FAILED", "helper.py", 2, "KeyError"),
    "exit on import": ({"entry_point.py": HEAD + "raise SystemExit(3)\n"}, "IMPORT_FAILED", "entry_point.py", 2, "SystemExit"),
    "contract of a tool": (
        {"entry_point.py": HEAD + "\n@tool('t')\ndef t(ctx):\n    pass\n"}, "CONTRACT_VIOLATION", "entry_point.py", 3, "tool:t"),
    "contract of an agent elsewhere": (
        {"entry_point.py": HEAD + "import agents\n", "agents.py": HEAD + "@agent('a')\ndef a():\n    pass\n"},
        "CONTRACT_VIOLATION", "agents.py", 2, "agent:a"),
    "contract of a router": (
        {"entry_point.py": HEAD + "@router('r')\ndef r(ctx):\n    pass\n"}, "CONTRACT_VIOLATION", "entry_point.py", 2, "router:r"),
    "denied import": ({"entry_point.py": HEAD + "def f():\n    import subprocess\n"}, "IMPORT_DENIED", "entry_point.py", 3, "subprocess"),
    "denied import in a package": (
        {"entry_point.py": HEAD, "a/b.py": "x = 1\nfrom ctypes import CDLL\n"}, "IMPORT_DENIED", "a/b.py", 2, "ctypes"),
    "route twice": (
        {"entry_point.py": HEAD + "@http.get('/x')\ndef a(ctx, r):\n    pass\n@http.get('/x')\ndef b(ctx, r):\n    pass\n"},
        "DUPLICATE_ROUTE", "entry_point.py", 5, "GET /x"),
    "requirement that is absent": (
        {"entry_point.py": HEAD, "requirements.txt": "# needs\naiel-sdk\nno-such-package-at-all>=1\n"},
        "REQUIREMENT_UNSATISFIED", "requirements.txt", 3, "no-such-package-at-all"),
    "requirement of another version": (
        {"entry_point.py": HEAD, "requirements.txt": "pydantic<1\n"}, "REQUIREMENT_UNSATISFIED", "requirements.txt", 1, "pydantic<1"),
    "requirement that cannot be read": (
        {"entry_point.py": HEAD, "requirements.txt": "\n???\n"}, "REQUIREMENT_INVALID", "requirements.txt", 2, ""),
    "requirement by option": (
        {"entry_point.py": HEAD, "requirements.txt": "-e .\n"}, "REQUIREMENT_INVALID", "requirements.txt", 1, "-e"),
    "malformed schema": (
        {"entry_point.py": HEAD + "@tool('t', output_schema={'type': 'objekt'})\ndef t(ctx, e):\n    pass\n"},
        "SCHEMA_INVALID", "entry_point.py", 2, "objekt"),
}


class LoadingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plane = harness.Plane()

    @classmethod
    def tearDownClass(cls):
        cls.plane.close()

    def test_errors_name_file_and_line(self):
        for number, (name, (files, code, file, line, part)) in enumerate(BROKEN.items()):
            with self.subTest(name):
                self.plane.snapshot("broken%d" % number, files)
                worker = self.plane.spawn("broken%d" % number)
                frame = worker.read()
                if frame is None and name == "memory on import":
                    # Not even the words for it found room; the zygote says so instead.
                    self.assertTrue(worker.exited()["memory_limit_hit"])
                    continue
                self.assertEqual("load_failed", frame["type"], frame)
                first = frame["errors"][0]
                self.assertEqual((code, file, line), (first["code"], first["file"], first["line"]), first)
                self.assertIn(part, first["message"])
                self.assertIsNone(worker.read(), "the worker goes on")
                self.assertEqual(0, worker.exited()["exit_code"])

    def test_all_requirements_that_fail_are_named(self):
        self.plane.snapshot("many", {"entry_point.py": HEAD + "import subprocess\n", "requirements.txt": "absent-a\nabsent-b; python_version<'3'\nabsent-c\n"})
        worker = self.plane.spawn("many")
        errors = worker.read()["errors"]
        worker.exited()
        self.assertEqual([("IMPORT_DENIED", 2), ("REQUIREMENT_UNSATISFIED", 1), ("REQUIREMENT_UNSATISFIED", 3)],
                         [(e["code"], e["line"]) for e in errors])

    def test_a_module_that_hangs_on_import_can_be_killed(self):
        self.plane.snapshot("hangs", "while True:\n    pass\n")
        worker = self.plane.spawn("hangs")
        worker.kill()
        self.assertEqual(9, worker.exited()["signal"])

    def test_the_snapshot_id_is_the_runtimes_and_stays(self):
        """The runtime's hash takes in ``pkg/__pycache__``, so a worker that wrote byte code would change the id of the next."""
        self.plane.snapshot("id", {"entry_point.py": "import pkg.m\n", "pkg/__init__.py": "", "pkg/m.py": "x = 1\n", "data.bin": "\0\1"})
        found = []
        for _ in range(2):
            worker = self.plane.ready("id")
            found.append(worker.first["snapshot_id"])
            worker.kill()
            worker.exited()
        site = os.path.join(harness.BUNDLE, "site")
        code = ("import sys, pathlib; sys.path.insert(0, sys.argv[1])\nfrom aiel_runtime.loader import compute_snapshot_id\n"
                "print(compute_snapshot_id(pathlib.Path(sys.argv[2])))")
        wanted = subprocess.run([sys.executable, "-B", "-c", code, site if os.path.isdir(site) else harness.BUNDLE,
                                 os.path.join(self.plane.store, "id")], capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual([wanted, wanted], found)


if __name__ == "__main__":
    unittest.main()
