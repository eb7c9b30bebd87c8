"""Ranks judged lines by letters and by the table, to measure a table before it is
used in Rust.

usage: measure.py TABLE WORDS LOGS JUDGMENTS [NAME=VALUE …]

TABLE, WORDS      of the training: table.bin, and words.txt of its work folder
LOGS, JUDGMENTS   folders of *.jsonl: `source`, `level`, `message` and
                  `meta.event_id`; `class`, `query`, `relevant_event_ids`
NAME=VALUE        options of the ranking: a=0 ignores the similarity of words, b=0
                  that of whole texts; dimensions=16 uses the first 16

Prints success@5 and nDCG@10 by class. `meta` is only read for the scores."""

import collections
import json
import math
import pathlib
import re
import sys

import numpy

import table

RANKING = {"a": 0.6, "t": 0.25, "b": 0.4, "pre": 0.9, "c": 0.25, "dimensions": table.FULL}
RUN = re.compile(r"[^\W_]+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


class Encoder:
    """The steps of `crates/lookback/src/embedding/words.rs`, word by word."""

    def __init__(self, file, words, dimensions):
        data = pathlib.Path(file).read_bytes()
        rows = table.WORDS + table.BUCKETS
        at = 2 * table.SLOTS + 4 * table.WORDS
        factors = numpy.frombuffer(data, "<u2", rows, at).astype(float)
        at += 2 * rows
        heads = numpy.frombuffer(data, "i1", rows * table.STORED, at).reshape(rows, -1)
        tails = numpy.frombuffer(data, "i1", offset=at + heads.size).reshape(rows, -1)
        self.rows = (numpy.hstack([heads, tails]) * factors[:, None])[:, :dimensions]
        self.index = {word: i for i, word in enumerate(words)}
        self.runs = {}

    def run(self, run):
        if run not in self.runs:
            self.runs[run] = self.sum_of(run)
        return self.runs[run]

    def sum_of(self, run):
        total = numpy.zeros(self.rows.shape[1])
        digits = any(c.isdigit() for c in run)
        if digits and re.fullmatch(r"[\da-fx]+", run):
            return total
        for word in re.findall(r"[^\W\d_]+", run):
            if digits and len(word.encode()) < 3:
                continue
            if word in self.index:
                total += self.rows[self.index[word]]
            elif made := self.made_of(word):
                total += self.rows[made].sum(0)
            elif not digits:
                buckets = [table.WORDS + bucket for bucket in table.grams(word[:64])]
                total += self.rows[buckets].mean(0)
        return total

    def made_of(self, word):
        if not 6 <= len(word) <= 32 or not word.isascii():
            return None
        best = {0: (0, [])}
        for start in range(len(word) - 2):
            for end in range(start + 3, len(word) + 1):
                row = self.index.get(word[start:end], 8_192)
                if start in best and row < 8_192:
                    cost = best[start][0] + 65_536 + row
                    if end not in best or cost < best[end][0]:
                        best[end] = (cost, best[start][1] + [row])
        return best.get(len(word), (0, None))[1]

    def text(self, text):
        return unit(sum((self.run(run.lower()) for run in RUN.findall(text)), self.run("0")))


def unit(vector):
    length = numpy.linalg.norm(vector)
    return vector / length if length else vector


def words_of(text):
    """Parts of camelCase, and the whole of it."""
    words = []
    for run in RUN.findall(text):
        parts = [part.lower() for part in PART.findall(run)]
        words += parts if len(parts) == 1 else [run.lower(), *parts]
    return words


def query_words(text):
    return [part.lower() for run in RUN.findall(text) for part in PART.findall(run)]


def trigrams(word):
    padded = f" {word} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


class System:
    def __init__(self, lines, encoder):
        self.events = [line["meta"]["event_id"] for line in lines]
        texts = [" ".join([line["source"], line["level"], line["message"]]) for line in lines]
        distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        self.of_line = numpy.array([distinct[text] for text in texts])
        counts = numpy.bincount(self.of_line)
        self.lines = len(lines)
        self.flat = [" ".join(text.lower().split()) for text in distinct]
        words = [sorted(set(words_of(text))) for text in distinct]
        self.words = sorted({word for each in words for word in each})
        index = {word: i for i, word in enumerate(self.words)}
        self.places = numpy.array([index[word] for each in words for word in each])
        self.starts = numpy.cumsum([0] + [len(each) for each in words[:-1]])
        self.has = collections.defaultdict(lambda: numpy.zeros(len(distinct), bool))
        for row, each in enumerate(words):
            for gram in set().union(*map(trigrams, each)):
                self.has[gram][row] = True
        self.frequency = {gram: int(counts[rows].sum()) for gram, rows in self.has.items()}
        self.of_words = numpy.array([unit(encoder.run(word)) for word in self.words])
        self.of_texts = numpy.array([encoder.text(text) for text in distinct])
        self.encoder = encoder

    def best(self, of_words):
        """For each text, the largest value of any of its words."""
        return numpy.maximum.reduceat(of_words[self.places], self.starts)

    def rank(self, query, how):
        score, whole = 0, 1e-9
        for word in query_words(query):
            mass, covered = 0, numpy.zeros(len(self.flat))
            for gram in trigrams(word):
                n = self.frequency.get(gram, 0)
                idf = math.log(1 + (self.lines - n + 0.5) / (n + 0.5))
                mass += idf
                covered += idf * self.has[gram] if n else 0
            begins = numpy.array([other.startswith(word) for other in self.words], float)
            like = self.of_words @ unit(self.encoder.run(word))
            like = how["a"] * ((self.best(like) - how["t"]) / (1 - how["t"])).clip(0, 1)
            covered = numpy.maximum(covered / mass, how["pre"] * self.best(begins))
            score = score + mass * numpy.maximum(covered, like)
            whole += mass
        typed = " ".join(query.lower().split())
        score = score / whole + how["b"] * (self.of_texts @ self.encoder.text(query))
        score += how["c"] * numpy.array([typed in text for text in self.flat])
        order = numpy.lexsort((-numpy.arange(self.lines), -score.round(6)[self.of_line]))
        return [self.events[i] for i in order[:10]]


def measure(ranked, judged):
    hits = [event in judged["relevant_event_ids"] for event in ranked]
    gain = sum(hit / math.log2(i + 2) for i, hit in enumerate(hits))
    ideal = sum(1 / math.log2(i + 2) for i in range(min(10, judged["n_relevant"])))
    return any(hits[:5]), gain / ideal


def main(file, words, logs, judgments, *given):
    how = RANKING | {name: float(value) for name, value in (one.split("=") for one in given)}
    encoder = Encoder(file, pathlib.Path(words).read_text().split(), int(how["dimensions"]))
    measured = collections.defaultdict(list)
    for path in sorted(pathlib.Path(judgments).glob("*.jsonl")):
        system = System(read(pathlib.Path(logs) / path.name), encoder)
        for judged in read(path):
            result = measure(system.rank(judged["query"], how), judged)
            for group in (judged["class"], "all", path.stem):
                measured[group].append(result)
    for group, results in measured.items():
        success, gain = numpy.mean(results, axis=0)
        print(f"{group:12} {len(results):4}  {success:.3f}  {gain:.3f}")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


if __name__ == "__main__":
    main(*sys.argv[1:])
