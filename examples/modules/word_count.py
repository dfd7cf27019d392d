"""Counts the words of text files: an example of a command module in Python.

Its parameters come as one line of JSON on the standard input. Each line that it prints goes to the run's log.
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

parameters = json.load(sys.stdin)
folder = Path(parameters["folder"])
pattern = parameters["pattern"]

if not folder.is_dir():
    print(f"there is no folder {folder}", file=sys.stderr)
    sys.exit(2)

words = Counter()
files = sorted(path for path in folder.glob(pattern) if path.is_file())
for path in files:
    found = re.findall(r"\w+", path.read_text(encoding="utf-8", errors="replace").lower())
    words.update(found)
    print(f"{path.name}: {len(found)} words")

if not files:
    print(f"no file in {folder} matches {pattern}", file=sys.stderr)

if parameters["report"] == "most_common":
    for word, count in words.most_common(parameters["count"]):
        print(f"{word} {count}")
else:
    print(f"{sum(words.values())} words in {len(files)} files")
