"""Word and n-gram vectors from the teacher's vectors of words and sentences."""

import collections
import re

import numpy
from scipy import sparse

import table

# A word as frequent as this share of the text weighs half as much as a rare one
# (smooth inverse frequency, Arora et al. 2017).
HALF_WEIGHT = 1e-3
# Words with fewer occurrences are ignored.
RARE = 3
LONGEST = 24

RUN = re.compile(r"[^\W_]+")
# Training splits camelCase in the text; the encoder splits it with the table.
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(text):
    return [part.lower() for run in RUN.findall(text) for part in PART.findall(run)]


def vocabulary(sentences, teacher_words, size):
    """The words to have a row, the most frequent first, and how often each occurs:
    those of the text, then the teacher's."""
    counts = collections.Counter()
    for sentence in sentences:
        counts.update(word for word in words_of(sentence) if len(word) <= LONGEST)
    words = sorted((w for w, n in counts.items() if n >= RARE), key=lambda w: (-counts[w], w))
    known = set(words)
    words += [w for w in teacher_words if w not in known and len(w) <= LONGEST]
    words = table.without_collisions(words)[:size]
    total = sum(counts.values())
    return words, numpy.array([counts[w] for w in words], float), total


def weights(counts, total):
    return (HALF_WEIGHT / (HALF_WEIGHT + numpy.maximum(counts, RARE) / total)).astype(numpy.float32)


def bags(sentences, words, weight):
    """Row by row the weights of a sentence's words, adding up to 1."""
    index = {word: i for i, word in enumerate(words)}
    rows, columns, values = [], [], []
    for row, sentence in enumerate(sentences):
        known = [index[word] for word in words_of(sentence) if word in index]
        whole = sum(weight[i] for i in known)
        for i in known:
            rows.append(row)
            columns.append(i)
            values.append(weight[i] / whole)
    shape = (len(sentences), len(words))
    return sparse.csr_matrix((numpy.array(values, numpy.float32), (rows, columns)), shape=shape)


def ridge(x, targets, prior, penalty, rounds):
    """V with the least |xV - targets|² + penalty·|V - prior|², by conjugate gradients."""
    transposed = x.T.tocsr()
    v = prior.copy()
    left = transposed @ (targets - x @ v)
    step = left.copy()
    size = (left * left).sum(0)
    for _ in range(rounds):
        image = transposed @ (x @ step) + penalty * step
        far = size / numpy.maximum((step * image).sum(0), 1e-20)
        v += far * step
        left -= far * image
        now = (left * left).sum(0)
        step = left + now / numpy.maximum(size, 1e-20) * step
        size = now
    return v


def word_vectors(of_words, of_sentences, x, counts):
    """The vector of each word such that the weighted mean of a sentence's words
    comes near the teacher's vector of the sentence; a word of which the text
    says little stays near the teacher's vector of the word alone."""
    share = numpy.sqrt(numpy.maximum(counts, 1))
    share /= share.sum()
    alone = of_words - (of_words * share[:, None]).sum(0)
    alone = (alone / numpy.linalg.norm(alone, axis=1, keepdims=True)).astype(numpy.float32)
    targets = of_sentences - of_sentences.mean(0)
    means = x @ alone
    scale = numpy.float32((means * targets).sum() / (means * means).sum())
    return ridge(x, targets, alone * scale, 1.0, 30)


def narrowed(vectors, counts, dimensions):
    """The directions in which the words differ most."""
    share = numpy.sqrt(numpy.maximum(counts, 1))
    _, directions = numpy.linalg.eigh((vectors * (share / share.sum())[:, None]).T @ vectors)
    return signed(vectors @ directions[:, ::-1][:, :dimensions])


def turned(vectors, gram_vectors, x):
    """Turned so that the first dimensions are those in which sentences differ
    most: the index stores 16 of them. Similarity in all dimensions is unchanged."""
    sentences = x @ vectors
    length = numpy.linalg.norm(sentences, axis=1, keepdims=True)
    sentences = (sentences / numpy.maximum(length, 1e-9)).astype(numpy.float64)
    _, directions = numpy.linalg.eigh(sentences.T @ sentences)
    directions = signed(directions[:, ::-1])
    return vectors @ directions, gram_vectors @ directions


def signed(columns):
    """An eigenvector's sign is free: the largest number is positive."""
    largest = numpy.abs(columns).argmax(0)
    signs = numpy.sign(columns[largest, numpy.arange(columns.shape[1])])
    return columns * signs


def gram_vectors(words, vectors):
    """The vector of each bucket of n-grams such that the mean over a word's
    n-grams comes near the word's vector."""
    rows, columns, values = [], [], []
    for row, word in enumerate(words):
        grams = table.grams(word)
        for gram in grams:
            rows.append(row)
            columns.append(gram)
            values.append(1 / len(grams))
    shape = (len(words), table.BUCKETS)
    x = sparse.csr_matrix((numpy.array(values, numpy.float32), (rows, columns)), shape=shape)
    nothing = numpy.zeros((table.BUCKETS, vectors.shape[1]), numpy.float32)
    return ridge(x, vectors, nothing, 0.1, 60)
