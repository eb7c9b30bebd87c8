SELECT (readings.id, readings.a, b, d, e, twice, more, other.a) = (1, 3, 4, 5, '{}', 6, 8, 2) AND token IS NOT NULL FROM readings, other;
