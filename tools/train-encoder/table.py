"""The file that the encoder reads. `crates/lookback/src/embedding/table.rs` is
the other half of this one; all numbers are little endian:

    slots      65,536 × u16   row of the word whose hash begins here, 0xffff for none
    hashes     30,000 × u32   of each word, the most frequent word first
    factors    38,192 × u16   of each row: of the words, then of the buckets
    heads      38,192 × 16 × i8
    tails      38,192 × 80 × i8

A row's vector is its factor times its numbers."""

import numpy

WORDS = 30_000
BUCKETS = 8_192
SLOTS = 65_536
STORED, FULL = 16, 96
SIZES = (3, 4)
EMPTY = 0xFFFF
# The factor of the longest row. A sum over 8 KiB of words stays below 2^31.
LARGEST_FACTOR = 1_023

MASK = (1 << 64) - 1
WORD_BASIS = 0x9E3779B97F4A7C15
GRAM_BASIS = 0xCBF29CE484222325


def hashed(basis, text):
    """FNV-1a with 64 bits, then the finaliser of MurmurHash3."""
    value = basis
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ (value >> 33)


def word_hash(word):
    """Its slot, and the 32 bits that tell it from other words there."""
    value = hashed(WORD_BASIS, word)
    return value % SLOTS, value >> 32


def grams(word):
    """The buckets of the runs of 3 and of 4 characters of `<word>`."""
    whole = f"<{word}>"
    runs = [whole[i : i + size] for size in SIZES for i in range(len(whole) - size + 1)]
    return [hashed(GRAM_BASIS, run) % BUCKETS for run in runs]


def without_collisions(words):
    seen, kept = set(), []
    for word in words:
        check = word_hash(word)[1]
        if check not in seen:
            seen.add(check)
            kept.append(word)
    return kept


def to_bytes(words, vectors, gram_vectors):
    assert vectors.shape == (WORDS, FULL) and gram_vectors.shape == (BUCKETS, FULL)
    slots = numpy.full(SLOTS, EMPTY, "<u2")
    hashes = numpy.zeros(WORDS, "<u4")
    for row, word in enumerate(words):
        slot, hashes[row] = word_hash(word)
        while slots[slot] != EMPTY:
            slot = (slot + 1) % SLOTS
        slots[slot] = row
    rows = numpy.concatenate([vectors, gram_vectors])
    largest = numpy.abs(rows).max(1)
    unit = LARGEST_FACTOR / largest.max()
    # Rounded up, so that the row's largest number is at most 127.
    factors = numpy.ceil(largest * unit).clip(1, LARGEST_FACTOR).astype("<u2")
    numbers = numpy.rint(rows * (127 * unit) / factors[:, None]).clip(-127, 127).astype("i1")
    parts = [slots, hashes, factors, numbers[:, :STORED], numbers[:, STORED:]]
    return b"".join(numpy.ascontiguousarray(part).tobytes() for part in parts)
