"""Runs Paho's interoperability suite (eclipse/paho.mqtt.testing) against a broker.

Usage: suite.py FOLDER MODULE PORT

FOLDER is `interoperability` of a checkout of the suite, which is not part of Weir; MODULE is
`client_test` (3.1.1) or `client_test5`. The modules take their settings only as programs of their
own and with fixed ports, so that they are set here. Prints one JSON line {"test": name, "ok": bool}
for each test.
"""

import importlib
import json
import logging
import sys
import unittest
import warnings

TOPICS = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
WILD_TOPICS = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")


class Result(unittest.TestResult):
    """Reports each test when it ends."""

    def report(self, test, error):
        name = test.id().rsplit(".", 1)[-1]
        line = {"test": name, "ok": error is None, "error": error}
        print(json.dumps(line), file=sys.__stdout__, flush=True)

    def addSuccess(self, test):
        self.report(test, None)

    def addFailure(self, test, err):
        self.report(test, self._exc_info_to_string(err, test))

    addError = addFailure


def main():
    folder, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.path.insert(0, folder)
    sys.argv = [name]
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    module = importlib.import_module(name)
    prefix = "client_test5/" if name.endswith("5") else ""
    module.host = module.hostname = "127.0.0.1"
    module.port = port
    module.topic_prefix = prefix
    module.topics = [prefix + topic for topic in TOPICS]
    module.wildtopics = [prefix + topic for topic in WILD_TOPICS]
    module.nosubscribe_topics = ("test/nosubscribe",)
    logging.getLogger().setLevel(logging.CRITICAL)
    unittest.defaultTestLoader.loadTestsFromModule(module).run(Result())


if __name__ == "__main__":
    main()
