"""The training text: sentences of the documentation, comments and messages that
Python packages carry, from the wheels in a folder."""

import ast
import collections
import gzip
import hashlib
import json
import multiprocessing
import pathlib
import re
import zipfile

# At most this many sentences per package, so that no large package dominates.
PER_PACKAGE = 12_000
LARGEST_FILE = 8_000_000

SENTENCE = re.compile(r"""(?<=[.!?:;])\s+(?=[A-Z"'(%`])|\n\s*\n|\n\s*[-*•]\s+""")
TAG = re.compile(r"<[^>]{1,200}>")
PLACEHOLDER = re.compile(r"%\(\w+\)[sdrif]|%[-+0-9.]*[sdrifxXu]|\{[^{}]{0,40}\}|\$\{\w+\}")


def sentences(text):
    """The sentences of a text that are made of words: 3 to 45 of them."""
    text = PLACEHOLDER.sub(" ", TAG.sub(" ", text))
    for sentence in SENTENCE.split(text):
        sentence = " ".join(sentence.split())
        if not 12 <= len(sentence) <= 300:
            continue
        if sum(c.isalpha() for c in sentence) < 0.6 * len(sentence):
            continue
        if 3 <= len(re.findall(r"[A-Za-z]{2,}", sentence)) <= 45:
            yield sentence


def of_python(source):
    """Documentation strings, then the other string constants with a space in them."""
    tree = ast.parse(source)
    documented = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                documented.add(id(node.body[0].value))
                for sentence in sentences(text):
                    yield "documentation", sentence
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " in node.value and len(node.value) < 2_000 and id(node) not in documented:
                for sentence in sentences(node.value):
                    yield "message", sentence


def of_json(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from of_json(item)
    elif isinstance(value, list):
        for item in value:
            yield from of_json(item)
    elif isinstance(value, str) and " " in value and len(value) < 5_000:
        for sentence in sentences(value):
            yield "documentation", sentence


def of_file(name, data):
    if name.endswith(".py"):
        return of_python(data.decode())
    if name.endswith(".json.gz"):
        return of_json(json.loads(gzip.decompress(data)))
    if name.endswith(".json"):
        # Only the English translations.
        if "/translations/" in name and not name.endswith("/en.json"):
            return ()
        return of_json(json.loads(data))
    if name.endswith((".rst", ".md", ".txt", ".yaml", ".yml", "/METADATA")):
        return (("documentation", sentence) for sentence in sentences(data.decode()))
    return ()


def of_wheel(path):
    """Sentences of one wheel; its files in an order drawn from their names."""
    found, seen = [], set()
    with zipfile.ZipFile(path) as wheel:
        files = [f for f in wheel.infolist() if f.file_size <= LARGEST_FILE]
        files = [f for f in files if "/tests/" not in f.filename and "/test/" not in f.filename]
        files.sort(key=lambda f: hashlib.sha256(f.filename.encode()).digest())
        for file in files:
            try:
                for kind, sentence in of_file(file.filename, wheel.read(file)):
                    key = re.sub(r"[^a-z]+", " ", sentence.lower())
                    if key not in seen:
                        seen.add(key)
                        found.append((kind, sentence))
            except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError):
                continue
            if len(found) >= PER_PACKAGE:
                break
    return found[:PER_PACKAGE]


def read(folder):
    """[(kind, sentence)] of all wheels in a folder, each sentence once."""
    paths = sorted(pathlib.Path(folder).glob("*.whl"))
    seen, all_of_them = set(), []
    with multiprocessing.Pool(2) as pool:
        for path, found in zip(paths, pool.imap(of_wheel, paths, chunksize=1)):
            for kind, sentence in found:
                key = re.sub(r"[^a-z]+", " ", sentence.lower())
                if key not in seen:
                    seen.add(key)
                    all_of_them.append((kind, sentence))
    return all_of_them
